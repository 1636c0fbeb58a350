import { WhittleError } from '../graph/errors.js';
import { readIdx } from './idx.js';
import { ImageArray, type Normalization } from './images.js';

export const MNIST_CLASSES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const;

export const FASHION_MNIST_CLASSES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
] as const;

/** Of the training images. */
export const MNIST_NORMALIZATION: Normalization = { mean: [0.1307], std: [0.3081] };
export const FASHION_MNIST_NORMALIZATION: Normalization = { mean: [0.286], std: [0.353] };

export interface MnistOptions {
  readonly classes?: readonly string[];
  readonly normalization?: Normalization;
  /** Where the bytes are from, for messages. */
  readonly file?: string;
}

/**
 * MNIST, Fashion-MNIST or another set in their format: gray images and labels in two idx files, packed or not.
 * @throws WhittleError where the files are damaged or do not belong together
 */
export function mnist(
  images: Uint8Array,
  labels: Uint8Array,
  { classes = MNIST_CLASSES, normalization = MNIST_NORMALIZATION, file }: MnistOptions = {},
): ImageArray {
  const pixels = readIdx(images, file);
  const numbers = readIdx(labels, file);
  const [count, height, width] = pixels.dims;
  const fits = pixels.dims.length === 3 && numbers.dims.length === 1 && count === numbers.dims[0];
  if (!fits || pixels.dtype !== 'uint8' || numbers.dtype !== 'uint8') {
    throw new WhittleError(
      `images ${pixels.dtype} [${pixels.dims.join(', ')}] and labels ${numbers.dtype} [${numbers.dims.join(', ')}] do not belong together`,
      file === undefined ? {} : { file },
    );
  }
  return new ImageArray({
    pixels: pixels.bytes(),
    labels: numbers.bytes(),
    shape: [1, height!, width!],
    normalization,
    classes,
    ...(file !== undefined && { file }),
  });
}
