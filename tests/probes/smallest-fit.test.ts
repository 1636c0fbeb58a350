import { expect, it } from 'vitest';
import { mlp } from '../../src/nn/index.js';
import { smallestFit } from '../../src/probes/index.js';
import { classification, sgd } from '../../src/train/index.js';
import { images } from '../methods/sparse/tiny.js';

/** Two classes that a few neurons tell apart. */
const training = (width: number) => ({
  network: mlp({ widths: [36, width, 2], inputShape: [1, 6, 6], training: true, seed: 3 }),
  data: { train: images(64, 1) },
  objective: classification(),
  optimizer: sgd({ momentum: 0.9 }),
  learningRate: 0.1,
  batchSize: 16,
  updates: 24,
  session: { threads: 1 },
});

it('finds a width that fits, next to one that does not', async () => {
  const reached = new Map<number, number>();
  const { width, tried } = await smallestFit({ widths: [1, 2, 4, 8], threshold: 0.99, training });
  for (const { width, reached: accuracy } of tried) reached.set(width, accuracy);
  expect(tried.length).toBeLessThanOrEqual(3);
  expect(reached.get(width!)).toBeGreaterThanOrEqual(0.99);
  for (const [other, accuracy] of reached) expect(accuracy >= 0.99).toBe(other >= width!);
});

it('says where none fits, and what does not make sense', async () => {
  const none = await smallestFit({ widths: [1, 2], threshold: 1.1, training });
  expect(none).toMatchObject({ width: undefined, tried: [{ width: 2 }] });
  await expect(smallestFit({ widths: [2, 1], threshold: 1, training })).rejects.toThrow(/rise/);
  await expect(smallestFit({ widths: [1], threshold: 1, metric: 'f1', training })).rejects.toThrow(
    /no "f1"[\s\S]*loss, accuracy/,
  );
});
