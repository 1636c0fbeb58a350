import { Tensor } from '../../graph/tensor.js';
import { type ImageTransformOptions, imagesOf, type Transform } from './transform.js';

export interface CutoutOptions extends ImageTransformOptions {
  /** Side of the square in pixels. */
  readonly size: number;
  /** Value of the square, one for each channel; default 0, the mean of normalized images. */
  readonly fill?: readonly number[];
}

/**
 * Blanks a square around a random pixel of each image; the square may reach over the edge.
 * DeVries & Taylor, 2017, https://arxiv.org/abs/1708.04552.
 */
export function cutout({ size, fill = [], field = 'pixel_values' }: CutoutOptions): Transform {
  return (batch, random) => {
    const { data, count, channels, height, width } = imagesOf(batch, field);
    const result = data.slice();
    for (let i = 0; i < count; i++) {
      const top = random.integer(height) - Math.floor(size / 2);
      const left = random.integer(width) - Math.floor(size / 2);
      const [from, to] = [Math.max(0, left), Math.min(width, left + size)];
      for (let c = 0; c < channels; c++) {
        for (let y = Math.max(0, top); y < Math.min(height, top + size); y++) {
          const row = ((i * channels + c) * height + y) * width;
          result.fill(fill[c] ?? 0, row + from, row + to);
        }
      }
    }
    return { ...batch, [field]: Tensor.float32(batch[field]!.dims, result) };
  };
}
