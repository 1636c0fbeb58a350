import { WhittleError } from '../graph/errors.js';
import { ImageArray, type Normalization } from './images.js';

export const CIFAR10_CLASSES = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
] as const;

/** Of the training images. */
export const CIFAR10_NORMALIZATION: Normalization = {
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
};
export const CIFAR100_NORMALIZATION: Normalization = {
  mean: [0.5071, 0.4865, 0.4409],
  std: [0.2673, 0.2564, 0.2762],
};

const SHAPE = [3, 32, 32] as const;
const IMAGE = 3 * 32 * 32;

/** Bytes of the binary version's files, and their names for messages. */
export interface CifarFile {
  readonly bytes: Uint8Array;
  readonly file?: string;
}

/**
 * CIFAR-10 in its binary version: records of a label and 3 × 32 × 32 pixels, red plane first.
 * @throws WhittleError for a file that is cut off, and labels beyond 9
 * https://www.cs.toronto.edu/~kriz/cifar.html
 */
export const cifar10 = (files: readonly CifarFile[]): ImageArray =>
  readRecords(files, 1, CIFAR10_CLASSES, CIFAR10_NORMALIZATION);

/**
 * CIFAR-100 in its binary version: records of a coarse label, a fine label and the pixels.
 * @param labels which of the two to use; default `fine`, 100 classes rather than 20
 * @param classes their names; numbers where they are not given
 * @throws WhittleError for a file that is cut off, and labels beyond the classes
 */
export function cifar100(
  files: readonly CifarFile[],
  labels: 'fine' | 'coarse' = 'fine',
  classes: readonly string[] = Array.from({ length: labels === 'fine' ? 100 : 20 }, (_, i) => `${i}`),
): ImageArray {
  return readRecords(files, 2, classes, CIFAR100_NORMALIZATION, labels === 'fine' ? 1 : 0);
}

function readRecords(
  files: readonly CifarFile[],
  labelBytes: number,
  classes: readonly string[],
  normalization: Normalization,
  labelAt = 0,
): ImageArray {
  const record = labelBytes + IMAGE;
  for (const { bytes, file } of files) {
    if (bytes.length > 0 && bytes.length % record === 0) continue;
    throw new WhittleError(`${bytes.length} bytes are not a whole number of records of ${record}`, {
      ...(file !== undefined && { file }),
      hint: 'Get the file again, in the binary version of the dataset',
    });
  }
  const count = files.reduce((sum, { bytes }) => sum + bytes.length / record, 0);
  const pixels = new Uint8Array(count * IMAGE);
  const labels = new Uint8Array(count);
  let example = 0;
  for (const { bytes } of files) {
    for (let at = 0; at < bytes.length; at += record, example++) {
      labels[example] = bytes[at + labelAt]!;
      pixels.set(bytes.subarray(at + labelBytes, at + record), example * IMAGE);
    }
  }
  const file = files[0]?.file;
  return new ImageArray({
    pixels,
    labels,
    shape: SHAPE,
    normalization,
    classes,
    ...(file !== undefined && { file }),
  });
}
