import type { Batch } from '../../datasets/dataset.js';
import { WhittleError } from '../../graph/errors.js';
import type { Random } from '../../random/random.js';

/**
 * Changes a batch before it is trained on, in a way that depends on `random` alone. It returns new tensors and leaves
 * those that it was given.
 */
export type Transform = (batch: Batch, random: Random) => Batch;

/** Images of a batch, to be read and written pixel by pixel. */
export interface Images {
  /** (count, channels, height, width) */
  readonly data: Float32Array;
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** @throws WhittleError where the batch holds no float32 images under that name */
export function imagesOf(batch: Batch, name: string): Images {
  const tensor = batch[name];
  if (tensor?.dtype !== 'float32' || tensor.dims.length !== 4) {
    throw new WhittleError(
      tensor
        ? `images are float32 (count, channels, height, width), not ${tensor.dtype} [${tensor.dims.join(', ')}]`
        : `the batch holds no images; it holds ${Object.keys(batch).join(', ')}`,
      { value: name },
    );
  }
  const [count, channels, height, width] = tensor.dims as [number, number, number, number];
  return { data: tensor.toFloat32(), count, channels, height, width };
}

export interface ImageTransformOptions {
  /** The field of the images; default `pixel_values`. */
  readonly field?: string;
}
