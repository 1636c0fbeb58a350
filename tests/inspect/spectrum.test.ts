import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measureSpectrum } from '../../src/inspect/spectrum.js';

const spectrum = fc
  .array(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 })
  .map(values => values.sort((a, b) => b - a));

describe('measures of a spectrum', () => {
  it('count equal singular values', () => {
    const { effectiveRank, stableRank, energy } = measureSpectrum(new Array(10).fill(2.5));
    expect(effectiveRank).toBeCloseTo(10, 10);
    expect(stableRank).toBeCloseTo(10, 10);
    expect(energy.map(e => e.rank)).toEqual([9, 10, 10, 10]);
  });

  it('give the entropy of a hand-computed case', () => {
    // p = (3/4, 1/4): entropy 0.75 ln(4/3) + 0.25 ln 4 = ln 1.754765…
    const { effectiveRank, stableRank } = measureSpectrum([3, 1]);
    expect(effectiveRank).toBeCloseTo((4 / 3) ** 0.75 * 4 ** 0.25, 12);
    expect(stableRank).toBeCloseTo(10 / 9, 12);
  });

  it('are zero for a matrix of zeros', () => {
    const { effectiveRank, stableRank, energy } = measureSpectrum([0, 0]);
    expect([effectiveRank, stableRank, ...energy.map(e => e.rank)]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('lie between 1 and the number of singular values, whatever the scale', () => {
    fc.assert(
      fc.property(spectrum, fc.constantFrom(1e-3, 1, 1e3), (values, scale) => {
        const measured = measureSpectrum(values.map(v => v * scale));
        const slack = 1e-9 * values.length;
        for (const rank of [measured.effectiveRank, measured.stableRank]) {
          expect(rank).toBeGreaterThanOrEqual(1 - slack);
          expect(rank).toBeLessThanOrEqual(values.length + slack);
        }
        expect(measured.effectiveRank).toBeCloseTo(measureSpectrum(values).effectiveRank, 6);
      }),
    );
  });

  it('give the smallest rank that holds the energy', () => {
    fc.assert(
      fc.property(spectrum, values => {
        const energyOf = (rank: number) => values.slice(0, rank).reduce((sum, s) => sum + s * s, 0);
        const total = energyOf(values.length);
        for (const { share, rank } of measureSpectrum(values).energy) {
          expect(energyOf(rank)).toBeGreaterThanOrEqual(share * total * (1 - 1e-12));
          expect(energyOf(rank - 1)).toBeLessThan(share * total);
        }
      }),
    );
  });
});
