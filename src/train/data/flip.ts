import { Tensor } from '../../graph/tensor.js';
import { type ImageTransformOptions, imagesOf, type Transform } from './transform.js';

export interface RandomFlipOptions extends ImageTransformOptions {
  /** Share of the images that are mirrored; default 0.5. */
  readonly probability?: number;
}

/** Mirrors some of the images left to right. */
export function randomFlip(options: RandomFlipOptions = {}): Transform {
  const { probability = 0.5, field = 'pixel_values' } = options;
  return (batch, random) => {
    const { data, count, channels, height, width } = imagesOf(batch, field);
    const result = data.slice();
    const size = channels * height * width;
    for (let i = 0; i < count; i++) {
      if (random.uniform() >= probability) continue;
      for (let row = i * size; row < (i + 1) * size; row += width)
        result.subarray(row, row + width).reverse();
    }
    return { ...batch, [field]: Tensor.float32(batch[field]!.dims, result) };
  };
}
