import { type Dirent, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { IMAGENET } from '../data/image-spec.js';
import { IMAGE_EXTENSIONS, readImage } from '../data/images.node.js';
import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { type Batch, checkIndices, type Dataset, type Field } from './dataset.js';
import type { Normalization } from './images.js';

export interface ImageFile {
  readonly path: string;
  /** Number of its class. */
  readonly label: number;
}

export interface ImageFileOptions {
  /** Height and width that images are brought to. */
  readonly size: number;
  /** What to do where the aspect ratio differs; default `crop` the centre. */
  readonly fit?: 'crop' | 'pad' | 'stretch';
  /** Default `rgb`. */
  readonly channels?: 'rgb' | 'gray';
  /** Default ImageNet's, for gray images mean 0.5 and deviation 0.5. */
  readonly normalization?: Normalization;
}

/**
 * Labelled image files, decoded when a batch asks for them. Batches hold `pixel_values`
 * (batch, channels, size, size), float32, normalized, and `labels` (batch), int64.
 */
export class ImageFiles implements Dataset {
  readonly length: number;
  readonly fields: Readonly<Record<'pixel_values' | 'labels', Field>>;
  readonly classes: readonly string[];
  readonly files: readonly ImageFile[];
  private readonly options: Required<ImageFileOptions>;

  constructor(files: readonly ImageFile[], classes: readonly string[], options: ImageFileOptions) {
    const { size, fit = 'crop', channels = 'rgb' } = options;
    const { normalization = channels === 'rgb' ? IMAGENET : { mean: [0.5], std: [0.5] } } = options;
    this.length = files.length;
    this.files = files;
    this.classes = classes;
    this.options = { size, fit, channels, normalization };
    this.fields = {
      pixel_values: { dtype: 'float32', shape: [channels === 'rgb' ? 3 : 1, size, size] },
      labels: { dtype: 'int64', shape: [] },
    };
  }

  /** @throws WhittleError naming the file where it is no image */
  async batch(indices: ArrayLike<number>): Promise<Batch> {
    checkIndices(indices, this.length);
    const chosen = Array.from(indices, i => this.files[i]!);
    const { size, fit, channels, normalization } = this.options;
    const spec = {
      ...({ input: 'pixel_values', dtype: 'float32', layout: 'chw', scale: 1 / 255, multipleOf: 1 } as const),
      ...{ channels, height: size, width: size, fit, maxSide: size, ...normalization },
    };
    // Decoding runs in sharp's own threads.
    const images = await Promise.all(chosen.map(({ path }) => readImage(path, spec)));
    const length = images[0]?.size ?? 0;
    const values = new Float32Array(images.length * length);
    for (const [i, image] of images.entries()) values.set(image.toFloat32(), i * length);
    return {
      pixel_values: Tensor.float32([images.length, ...this.fields.pixel_values.shape], values),
      labels: Tensor.int64(chosen.map(({ label }) => label)),
    };
  }
}

/**
 * A folder with a folder of images for each class, named after it; classes are numbered in the order of their names.
 * @throws WhittleError where there are no such folders, or one has no images
 */
export function loadImageFolder(folder: string, options: ImageFileOptions): ImageFiles {
  const classes = list(folder)
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(entry => entry.name)
    .sort();
  if (classes.length === 0) {
    throw new WhittleError('the folder has no folders of images', {
      file: folder,
      hint: 'It should have one for each class',
    });
  }
  const files = classes.flatMap((name, label) => imagesOf(join(folder, name)).map(path => ({ path, label })));
  return new ImageFiles(files, classes, options);
}

/** Paths of the images in a folder, sorted. @throws WhittleError where there are none */
export function imagesOf(folder: string): string[] {
  const names = list(folder)
    .filter(entry => entry.isFile() && IMAGE_EXTENSIONS.includes(extname(entry.name).toLowerCase()))
    .map(entry => entry.name);
  if (names.length === 0)
    throw new WhittleError('the folder has no images', {
      file: folder,
      hint: `Files that end in ${IMAGE_EXTENSIONS.join(', ')} are read`,
    });
  return names.sort().map(name => join(folder, name));
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    throw new WhittleError('the folder cannot be read', { file: folder, cause });
  }
}
