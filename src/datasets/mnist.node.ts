import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { WhittleError } from '../graph/errors.js';
import type { ImageArray } from './images.js';
import { FASHION_MNIST_CLASSES, FASHION_MNIST_NORMALIZATION, type MnistOptions, mnist } from './mnist.js';

/**
 * Loads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` or `t10k-…` from a folder, with or without `.gz`.
 * @throws WhittleError where a file is missing or damaged
 */
export function loadMnist(folder: string, split: 'train' | 'test', options: MnistOptions = {}): ImageArray {
  const prefix = split === 'train' ? 'train' : 't10k';
  const images = find(folder, `${prefix}-images-idx3-ubyte`);
  const labels = find(folder, `${prefix}-labels-idx1-ubyte`);
  return mnist(unpacked(images), unpacked(labels), { file: images, ...options });
}

/**
 * Fashion-MNIST (Xiao, Rasul & Vollgraf, arXiv:1708.07747): 60 000 training and 10 000 test images of 28 × 28.
 * Debian and Ubuntu have it: `apt install dataset-fashion-mnist` puts it into `/usr/share/datasets/fashion-mnist`;
 * elsewhere: https://github.com/zalandoresearch/fashion-mnist.
 */
export const loadFashionMnist = (
  folder = '/usr/share/datasets/fashion-mnist',
  split: 'train' | 'test' = 'train',
): ImageArray =>
  loadMnist(folder, split, { classes: FASHION_MNIST_CLASSES, normalization: FASHION_MNIST_NORMALIZATION });

/** Node's own gzip is several times faster than that for all platforms. */
function unpacked(file: string): Uint8Array {
  const bytes = readFileSync(file);
  if (!file.endsWith('.gz')) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: 2 ** 31 - 1 });
  } catch (cause) {
    throw new WhittleError('the gzip archive cannot be unpacked', {
      file,
      hint: 'Get the file again',
      cause,
    });
  }
}

function find(folder: string, name: string): string {
  for (const ending of ['.gz', '']) {
    const path = join(folder, name + ending);
    if (existsSync(path)) return path;
  }
  throw new WhittleError('there is no such file, packed (.gz) or not', {
    file: join(folder, name),
    hint: 'Fashion-MNIST: `apt install dataset-fashion-mnist`, or https://github.com/zalandoresearch/fashion-mnist',
  });
}
