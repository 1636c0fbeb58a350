import { describe, expect, it } from 'vitest';
import { conditionNumber, effectiveRank, stableRank } from '../../src/linalg/index.js';
import { build, gaussian, identity, withSpectrum } from './matrices.js';

describe('measures of a spectrum', () => {
  it('agree on r equal singular values', () => {
    const a = withSpectrum(30, 20, Array(7).fill(3));
    expect(effectiveRank(a)).toBeCloseTo(7, 8);
    expect(stableRank(a)).toBeCloseTo(7, 10);
    expect(conditionNumber(identity(9))).toBe(1);
  });

  it('follow their definitions', () => {
    const s = Float64Array.of(4, 2, 1, 1);
    expect(stableRank(s)).toBe((16 + 4 + 1 + 1) / 16);
    expect(conditionNumber(s)).toBe(4);
    const p = [0.5, 0.25, 0.125, 0.125];
    expect(effectiveRank(s)).toBeCloseTo(Math.exp(-p.reduce((h, x) => h + x * Math.log(x), 0)), 12);
  });

  it('do not depend on scale', () => {
    const a = gaussian(12, 9, 1);
    for (const factor of [1e-200, 1e200]) {
      const scaled = build(12, 9, (i, j) => factor * a.data[i * 9 + j]!);
      expect(effectiveRank(scaled)).toBeCloseTo(effectiveRank(a), 9);
      expect(stableRank(scaled)).toBeCloseTo(stableRank(a), 9);
      expect(conditionNumber(scaled) / conditionNumber(a)).toBeCloseTo(1, 9);
    }
  });

  it('are defined for the zero matrix', () => {
    const zero = build(3, 2, () => 0);
    expect([effectiveRank(zero), stableRank(zero), conditionNumber(zero)]).toEqual([
      0,
      0,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it('reject what is no spectrum', () => {
    for (const bad of [[1, 2], [1, -1], [Number.NaN], []])
      expect(() => stableRank(Float64Array.from(bad))).toThrow();
  });
});
