import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval } from '../../src/compress/bootstrap.js';
import { Random } from '../../src/random/random.js';

const meanOf =
  (values: readonly number[]) =>
  (selection: Uint32Array): number =>
    selection.reduce((sum, i) => sum + values[i]!, 0) / selection.length;

describe('bootstrapInterval', () => {
  it('of a mean is as wide as theory says: 1.96 standard errors to each side', () => {
    const random = new Random(3);
    const values = Array.from({ length: 400 }, () => random.normal());
    const mean = values.reduce((a, b) => a + b) / values.length;
    const deviation = Math.sqrt(values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length);
    const half = (1.96 * deviation) / Math.sqrt(values.length);
    const [low, high] = bootstrapInterval(values.length, meanOf(values), { resamples: 4000 })!;
    expect((mean - low) / half).toBeCloseTo(1, 0.8);
    expect((high - mean) / half).toBeCloseTo(1, 0.8);
  });

  it('lies within the values, and is the same for the same seed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 5, maxLength: 20 }),
        v => {
          const interval = bootstrapInterval(v.length, meanOf(v), { resamples: 50 })!;
          expect(interval[0]).toBeGreaterThanOrEqual(Math.min(...v) - 1e-12);
          expect(interval[1]).toBeLessThanOrEqual(Math.max(...v) + 1e-12);
          expect(bootstrapInterval(v.length, meanOf(v), { resamples: 50 })).toEqual(interval);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('says nothing of four samples, nor of what is no number', () => {
    expect(bootstrapInterval(4, () => 1)).toBeUndefined();
    expect(bootstrapInterval(9, () => Number.NaN)).toBeUndefined();
  });
});
