import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { type ImageFile, type ImageFileOptions, ImageFiles, imagesOf } from './image-files.node.js';

/**
 * Tiny-ImageNet-200: 100 000 training and 10 000 validation images of 64 × 64 in 200 classes. The folder has
 * `wnids.txt`, `words.txt`, `train/<id>/images/*.JPEG`, `val/images/*.JPEG` and `val/val_annotations.txt`.
 * Classes are numbered in the order of `wnids.txt`, sorted.
 * @throws WhittleError where a file is missing, or names a class or image that is not there
 * http://cs231n.stanford.edu/tiny-imagenet-200.zip
 */
export function loadTinyImageNet(
  folder: string,
  split: 'train' | 'val',
  options: Partial<ImageFileOptions> = {},
): ImageFiles {
  const ids = lines(join(folder, 'wnids.txt')).sort();
  const words = new Map(lines(join(folder, 'words.txt')).map(line => line.split('\t') as [string, string]));
  const classes = ids.map(id => words.get(id)?.split(',')[0] ?? id);
  const files =
    split === 'train'
      ? ids.flatMap((id, label) =>
          imagesOf(join(folder, 'train', id, 'images')).map(path => ({ path, label })),
        )
      : annotated(folder, ids);
  return new ImageFiles(files, classes, { size: 64, ...options });
}

function annotated(folder: string, ids: readonly string[]): ImageFile[] {
  const file = join(folder, 'val', 'val_annotations.txt');
  const labels = new Map(ids.map((id, i) => [id, i]));
  const images = new Set(imagesOf(join(folder, 'val', 'images')));
  return lines(file).map(line => {
    const [name = '', id = ''] = line.split('\t');
    const path = join(folder, 'val', 'images', name);
    const label = labels.get(id);
    // A name with `..` in it is no image of this folder either.
    if (label === undefined || !images.has(path)) {
      throw new WhittleError(`"${name}" of class "${id}" is not there`, {
        file,
        hint: 'Unpack the archive again',
      });
    }
    return { path, label };
  });
}

function lines(file: string): string[] {
  if (!existsSync(file)) {
    throw new WhittleError('there is no such file', {
      file,
      hint: 'Unpack http://cs231n.stanford.edu/tiny-imagenet-200.zip and give its folder',
    });
  }
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line.trim() !== '');
}
