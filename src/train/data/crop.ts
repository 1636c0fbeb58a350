import { Tensor } from '../../graph/tensor.js';
import { type ImageTransformOptions, imagesOf, type Transform } from './transform.js';

export interface RandomCropOptions extends ImageTransformOptions {
  /** Pixels that are added on each side before an image of the old size is cut out; default 4. */
  readonly padding?: number;
  /** Value of what is added, one for each channel; default 0, the mean of normalized images. */
  readonly fill?: readonly number[];
}

/** Shifts each image by up to `padding` pixels either way. He et al., CVPR 2016, section 4.2. */
export function randomCrop(options: RandomCropOptions = {}): Transform {
  const { padding = 4, fill = [], field = 'pixel_values' } = options;
  return (batch, random) => {
    const { data, count, channels, height, width } = imagesOf(batch, field);
    const result = new Float32Array(data.length);
    for (let i = 0; i < count; i++) {
      const down = random.integer(2 * padding + 1) - padding;
      const right = random.integer(2 * padding + 1) - padding;
      const from = Math.max(0, -right);
      const to = Math.min(width, width - right);
      for (let c = 0; c < channels; c++) {
        const plane = (i * channels + c) * height * width;
        const outside = fill[c] ?? 0;
        for (let y = 0; y < height; y++) {
          const row = plane + y * width;
          const source = y + down;
          if (outside !== 0) result.fill(outside, row, row + width);
          if (source < 0 || source >= height || to <= from) continue;
          const start = plane + source * width + from + right;
          result.set(data.subarray(start, start + to - from), row + from);
        }
      }
    }
    return { ...batch, [field]: Tensor.float32(batch[field]!.dims, result) };
  };
}
