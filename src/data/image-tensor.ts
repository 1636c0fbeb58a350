import { Tensor } from '../graph/tensor.js';
import type { ImageSpec } from './image-spec.js';

/** 8-bit pixels, row-major, 1 (gray) or 3 (RGB) channels interleaved. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** The size that an image is resized to, and the size of the tensor, which adds padding. */
export interface ImagePlan {
  readonly resize: { readonly width: number; readonly height: number };
  readonly width: number;
  readonly height: number;
}

/** The plan that is the same for images of every size; `undefined` where it depends on them. */
export function fixedPlan({ width, height, fit }: ImageSpec): ImagePlan | undefined {
  if (width === undefined || height === undefined || fit === 'pad') return undefined;
  return { resize: { width, height }, width, height };
}

/** Plans the sizes for an image of the given size; see {@link ImageSpec} for the rules. */
export function planImage(spec: ImageSpec, width: number, height: number): ImagePlan {
  const fixed = fixedPlan(spec);
  if (fixed) return fixed;
  const side = (length: number) => Math.max(1, Math.round(length));
  const padded = (length: number) => Math.ceil(length / spec.multipleOf) * spec.multipleOf;
  if (spec.width !== undefined && spec.height !== undefined) {
    const factor = Math.min(spec.width / width, spec.height / height);
    const resize = {
      width: Math.min(spec.width, side(width * factor)),
      height: Math.min(spec.height, side(height * factor)),
    };
    return { resize, width: spec.width, height: spec.height };
  }
  const factor =
    spec.height !== undefined
      ? spec.height / height
      : spec.width !== undefined
        ? spec.width / width
        : Math.min(1, spec.maxSide / Math.max(width, height));
  const resize = { width: side(width * factor), height: side(height * factor) };
  return {
    resize,
    width: spec.width ?? padded(resize.width),
    height: spec.height ?? padded(resize.height),
  };
}

/**
 * Normalises pixels into the tensor that the spec describes, of shape [1, c, height, width] for `nchw`. Space
 * beyond the pixels is 0.
 */
export function imageToTensor(pixels: Pixels, spec: ImageSpec, plan: ImagePlan): Tensor {
  const channels = spec.channels === 'gray' ? 1 : 3;
  const { height, width } = plan;
  const values = new Float32Array(channels * height * width);
  const planar = spec.layout.endsWith('chw');
  for (let c = 0; c < channels; c++) {
    const source = spec.channels === 'bgr' ? 2 - c : c;
    const mean = spec.mean[c % spec.mean.length]!;
    const std = spec.std[c % spec.std.length]!;
    const table = Float32Array.from({ length: 256 }, (_, pixel) => (pixel * spec.scale - mean) / std);
    const [rowStep, columnStep, offset] = planar
      ? [width, 1, c * height * width]
      : [width * channels, channels, c];
    for (let y = 0; y < pixels.height; y++) {
      for (let x = 0; x < pixels.width; x++) {
        const pixel = pixels.data[(y * pixels.width + x) * pixels.channels + (source % pixels.channels)]!;
        values[offset + y * rowStep + x * columnStep] = table[pixel]!;
      }
    }
  }
  const dims = planar ? [channels, height, width] : [height, width, channels];
  return Tensor.fromNumbers(spec.dtype, spec.layout.startsWith('n') ? [1, ...dims] : dims, values);
}
