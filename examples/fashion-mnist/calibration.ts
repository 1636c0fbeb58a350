/**
 * Calibration inputs for a classifier of Fashion-MNIST, for `--calibration examples/fashion-mnist/calibration.ts`: the
 * first 10,240 training images, 32 to a sample. The folder of the data is FASHION_MNIST, else where Debian puts it.
 */
import { type InputSource, indexedSource, type Signature } from 'whittle-nn/data';
import { images } from './images.js';

const BATCH = 32;

export default function inputs([input]: Signature): InputSource {
  const data = images('train');
  return indexedSource({ description: 'training images of Fashion-MNIST' }, 320, async index => {
    const batch = await data.batch(Array.from({ length: BATCH }, (_, i) => BATCH * index + i));
    return { [input!.name]: batch.pixel_values! };
  });
}
