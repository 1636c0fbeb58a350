import fc from 'fast-check';
import { expect, it } from 'vitest';
import { evenBatch } from '../../src/train/evaluate.js';

it('evenBatch is the largest divisor that is not much smaller than what was asked for', () => {
  expect(evenBatch(10_000, 256)).toBe(250);
  expect(evenBatch(60, 256)).toBe(60);
  expect(evenBatch(997, 256)).toBeUndefined();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 300 }), (examples, most) => {
      const limit = Math.min(examples, most);
      const divisors = Array.from({ length: limit }, (_, i) => i + 1).filter(size => examples % size === 0);
      const best = divisors.at(-1)!;
      expect(evenBatch(examples, most)).toBe(best * 2 > limit ? best : undefined);
    }),
  );
});
