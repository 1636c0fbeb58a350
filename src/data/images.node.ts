import { basename } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import { type ImageOptions, type ImageSpec, inferImageSpec } from './image-spec.js';
import { fixedPlan, type ImagePlan, imageToTensor, type Pixels, planImage } from './image-tensor.js';
import { type InputSource, indexedSource, type Signature } from './sample.js';

export const IMAGE_EXTENSIONS: readonly string[] = [
  '.png',
  '.jpg',
  '.jpeg',
  '.webp',
  '.avif',
  '.gif',
  '.tif',
  '.tiff',
];

/** Larger images are refused before they are decoded: a small file can declare a size that fills the memory. */
const MAX_PIXELS = 100_000_000;

/**
 * Reads an image file into the tensor that the spec describes. The camera's orientation is applied,
 * transparency becomes white, an animation gives its first frame.
 * @throws WhittleError naming the file where it is no image or too large
 */
export async function readImage(path: string, spec: ImageSpec): Promise<Tensor> {
  try {
    const image = sharp(path, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    // Between two calls JavaScript has to run, which waits as long as a training step holds its thread.
    const plan = fixedPlan(spec) ?? (await planFor(image, spec));
    const { data, info } = await image
      .autoOrient()
      .flatten({ background: '#fff' })
      .resize({ ...plan.resize, fit: spec.fit === 'crop' ? 'cover' : 'fill', kernel: 'cubic' })
      .toColourspace(spec.channels === 'gray' ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 1 && info.channels !== 3) throw new Error(`${info.channels} channels`);
    const pixels: Pixels = { data, width: info.width, height: info.height, channels: info.channels };
    return imageToTensor(pixels, spec, plan);
  } catch (cause) {
    if (cause instanceof WhittleError) throw cause;
    throw new WhittleError(`cannot read the image: ${(cause as Error).message}`, {
      file: path,
      cause,
      hint: 'Remove the file from the folder, or convert it to PNG',
    });
  }
}

async function planFor(image: Sharp, spec: ImageSpec): Promise<ImagePlan> {
  const { width, height } = (await image.metadata()).autoOrient;
  return planImage(spec, width, height);
}

/** Image files as inputs of a model with one image input, one sample each; see {@link inferImageSpec}. */
export function imageInputs(
  paths: readonly string[],
  signature: Signature,
  options: ImageOptions = {},
): InputSource {
  const { spec, assumptions } = inferImageSpec(signature, options);
  const about = {
    description: `${paths.length} image${paths.length === 1 ? '' : 's'} (${basename(paths[0] ?? '')}${paths.length > 1 ? ', …' : ''})`,
    notes: assumptions.length > 0 ? [`Assumed for images: ${assumptions.join('; ')}.`] : [],
  };
  return indexedSource(about, paths.length, async index => ({
    [spec.input]: await readImage(paths[index]!, spec),
  }));
}
