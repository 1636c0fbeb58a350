import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smallestRank } from '../../src/compress/rank-search.js';

describe('smallestRank', () => {
  it('finds the smallest rank within the bound, like trying them all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (values, bound) => {
          const errors = [...values].sort((a, b) => b - a);
          let measured = 0;
          const found = await smallestRank(errors.length, bound, 1, async rank => {
            measured++;
            return { rank, error: errors[rank - 1]! };
          });
          const expected = errors.findIndex(error => error <= bound);
          expect(found?.rank).toBe(expected === -1 ? undefined : expected + 1);
          expect(measured).toBeLessThanOrEqual(Math.ceil(Math.log2(errors.length)) + 1);
        },
      ),
    );
  });

  it('finds it near a lower bound with few measurements', async () => {
    const errors = Array.from({ length: 1000 }, (_, i) => 1 - i / 1000);
    for (const rank of [300, 301, 305, 330, 1000]) {
      const tried: number[] = [];
      const found = await smallestRank(1000, errors[rank - 1]!, 300, async r => {
        tried.push(r);
        return { rank: r, error: errors[r - 1]! };
      });
      expect(found?.rank).toBe(rank);
      expect(tried.length).toBeLessThanOrEqual(2 + 2 * Math.ceil(Math.log2(rank - 298)));
    }
    expect(await smallestRank(1000, -1, 300, async () => ({ error: 0 }))).toBeUndefined();
  });

  it('returns nothing for an empty range and for errors that are NaN', async () => {
    expect(await smallestRank(0, 1, 1, async () => ({ error: 0 }))).toBeUndefined();
    expect(await smallestRank(4, 1, 1, async () => ({ error: Number.NaN }))).toBeUndefined();
  });
});
