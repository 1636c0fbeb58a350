import { describe, expect, it } from 'vitest';
import { svd } from '../../src/linalg/index.js';
import { finishSvd, gramStrip, gramVectors, productStrip, splitSvd } from '../../src/linalg/split-svd.js';
import { build, flip, gaussian, logspace, withSpectrum } from './matrices.js';

/** The stages on this thread. */
const stages = (workers: number) => ({
  workers,
  gramStrip: async (...args: Parameters<typeof gramStrip>) => gramStrip(...args),
  gramVectors: async (...args: Parameters<typeof gramVectors>) => gramVectors(...args),
  productStrip: async (...args: Parameters<typeof productStrip>) => productStrip(...args),
  finishSvd: async (...args: Parameters<typeof finishSvd>) => finishSvd(...args),
});

describe('splitSvd', () => {
  const tall = gaussian(310, 67, 1);
  const matrices = {
    tall,
    wide: flip(tall),
    graded: withSpectrum(150, 70, logspace(0, -9, 70)),
    huge: build(120, 50, (i, j) => 1e300 * Math.sin(1 + i * 50 + j)),
    tiny: build(120, 50, (i, j) => 1e-300 * Math.sin(1 + i * 50 + j)),
    zero: build(40, 20, () => 0),
    column: gaussian(90, 1, 2),
  };
  for (const [name, a] of Object.entries(matrices)) {
    it(`gives the same bits as svd for any number of strips: ${name}`, async () => {
      const short = Math.min(a.rows, a.cols);
      for (const workers of [1, 2, 3, 8]) {
        for (const rank of new Set([1, short])) {
          expect(await splitSvd(a, rank, stages(workers))).toEqual(svd(a, { rank }));
        }
      }
    });
  }

  it('rejects what svd rejects', async () => {
    await expect(splitSvd(tall, 68, stages(2))).rejects.toThrow('rank is 68');
    const broken = build(4, 2, (i, j) => (i === 3 && j === 1 ? Number.POSITIVE_INFINITY : 1));
    await expect(splitSvd(broken, 1, stages(2))).rejects.toThrow('element (3, 1) is Infinity');
  });
});
