/**
 * Images of Fashion-MNIST to calibrate with, for `--calibration examples/train/fashion-mnist-inputs.ts`: 128 batches of the
 * training images. BATCH sets how many images a run takes (32), FASHION_MNIST the folder of the idx files.
 */
import { type InputSource, indexedSource } from 'whittle-nn/data';
import { loadFashionMnist } from 'whittle-nn/datasets/node';

const BATCHES = 128;

export const batchSize = Number(process.env.BATCH ?? 32);

export default function inputs(): InputSource {
  const images = loadFashionMnist(process.env.FASHION_MNIST, 'train');
  const description = `${BATCHES} batches of ${batchSize} training images of Fashion-MNIST`;
  return indexedSource({ description }, BATCHES, async index => {
    const { pixel_values } = await images.batch(
      Array.from({ length: batchSize }, (_, i) => index * batchSize + i),
    );
    return { pixel_values: pixel_values! };
  });
}
