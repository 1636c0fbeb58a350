import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { type CifarFile, cifar10, cifar100 } from './cifar.js';
import type { ImageArray } from './images.js';

const HINT =
  'Download the binary version from https://www.cs.toronto.edu/~kriz/cifar.html and unpack it; give the folder with the .bin files';

/**
 * Loads CIFAR-10 (50 000 training and 10 000 test images) from the folder `cifar-10-batches-bin`.
 * @throws WhittleError where a file is missing or damaged
 */
export function loadCifar10(folder: string, split: 'train' | 'test'): ImageArray {
  const names = split === 'train' ? [1, 2, 3, 4, 5].map(i => `data_batch_${i}.bin`) : ['test_batch.bin'];
  return cifar10(names.map(name => open(folder, name)));
}

/**
 * Loads CIFAR-100 from the folder `cifar-100-binary`.
 * @throws WhittleError where a file is missing or damaged
 */
export function loadCifar100(
  folder: string,
  split: 'train' | 'test',
  labels: 'fine' | 'coarse' = 'fine',
): ImageArray {
  const names = new TextDecoder().decode(open(folder, `${labels}_label_names.txt`).bytes);
  return cifar100([open(folder, `${split}.bin`)], labels, names.split('\n').filter(Boolean));
}

function open(folder: string, name: string): Required<CifarFile> {
  const file = join(folder, name);
  if (!existsSync(file)) throw new WhittleError('there is no such file', { file, hint: HINT });
  return { bytes: readFileSync(file), file };
}
