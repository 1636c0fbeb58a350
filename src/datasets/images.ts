import { WhittleError } from '../graph/errors.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { type Batch, checkIndices, type Dataset, type Field } from './dataset.js';

/** Mean and standard deviation of each channel, of pixels scaled to 0 … 1. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface ImageArrayOptions {
  /** Examples one after the other, each (channels, height, width). */
  readonly pixels: Uint8Array;
  /** Class numbers. */
  readonly labels: ArrayLike<number>;
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly normalization: Normalization;
  readonly classes: readonly string[];
  /** Where it is from, for messages. */
  readonly file?: string;
}

/**
 * Labelled images in memory, a byte a pixel. Batches hold `pixel_values` (batch, channels, height, width), float32,
 * normalized, and `labels` (batch), int64.
 */
export class ImageArray implements Dataset {
  readonly length: number;
  readonly fields: Readonly<Record<'pixel_values' | 'labels', Field>>;
  readonly classes: readonly string[];
  /** Raw bytes, for augmentation. */
  readonly pixels: Uint8Array;
  readonly labels: Int32Array;
  readonly shape: readonly [channels: number, height: number, width: number];
  readonly normalization: Normalization;
  private readonly table: Float32Array;

  /** @throws WhittleError where pixels and labels do not fit each other, or a label is no class */
  constructor({ pixels, labels, shape, normalization, classes, file }: ImageArrayOptions) {
    this.length = labels.length;
    this.pixels = pixels;
    this.labels = Int32Array.from(labels);
    this.shape = shape;
    this.normalization = normalization;
    this.classes = classes;
    this.fields = { pixel_values: { dtype: 'float32', shape }, labels: { dtype: 'int64', shape: [] } };
    const place = file === undefined ? {} : { file };
    if (pixels.length !== this.length * sizeOf(shape)) {
      throw new WhittleError(
        `${pixels.length} pixels do not make ${this.length} images of ${shape.join(' × ')}`,
        place,
      );
    }
    const wrong = this.labels.findIndex(label => label < 0 || label >= classes.length);
    if (wrong >= 0) {
      throw new WhittleError(
        `label ${this.labels[wrong]} of example ${wrong} is not one of ${classes.length} classes`,
        place,
      );
    }
    this.table = normalizedValues(normalization, shape[0]);
  }

  async batch(indices: ArrayLike<number>): Promise<Batch> {
    checkIndices(indices, this.length);
    const { pixels, table } = this;
    const size = sizeOf(this.shape);
    const plane = this.shape[1] * this.shape[2];
    const values = new Float32Array(indices.length * size);
    for (let i = 0; i < indices.length; i++) {
      const from = indices[i]! * size;
      for (let channel = 0, j = 0; channel < this.shape[0]; channel++) {
        for (const end = j + plane; j < end; j++) {
          values[i * size + j] = table[256 * channel + pixels[from + j]!]!;
        }
      }
    }
    return {
      pixel_values: Tensor.float32([indices.length, ...this.shape], values),
      labels: Tensor.int64(Array.from(indices, i => this.labels[i]!)),
    };
  }
}

/** (pixel / 255 − mean) / std for each channel and byte. */
function normalizedValues({ mean, std }: Normalization, channels: number): Float32Array {
  if (mean.length !== channels || std.length !== channels) {
    throw new WhittleError(`${channels} channels need as many means and deviations`);
  }
  return Float32Array.from({ length: 256 * channels }, (_, i) => {
    const channel = i >> 8;
    return ((i & 255) / 255 - mean[channel]!) / std[channel]!;
  });
}
