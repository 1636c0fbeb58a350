import { describe, expect, it } from 'vitest';
import { matrix, randomizedSvd, svd } from '../../src/linalg/index.js';
import {
  build,
  distance,
  flip,
  gaussian,
  logspace,
  lossOfOrthogonality,
  multiply,
  scaleColumns,
  withSpectrum,
} from './matrices.js';

describe('randomizedSvd', () => {
  it('is exact to rounding for a matrix of low rank', () => {
    for (const [m, n] of [
      [90, 60],
      [60, 90],
      [5, 200],
    ] as const) {
      const sigma = [7, 3, 3, 0.1, 1e-6].slice(0, Math.min(m, n));
      const a = withSpectrum(m, n, sigma);
      const { u, s, v } = randomizedSvd(a, sigma.length);
      expect([u.rows, u.cols, s.length, v.rows, v.cols]).toEqual([
        m,
        sigma.length,
        sigma.length,
        n,
        sigma.length,
      ]);
      s.forEach((value, i) => expect(Math.abs(value - sigma[i]!)).toBeLessThan(1e-13 * 7));
      expect(distance(a, multiply(scaleColumns(u, s), flip(v)))).toBeLessThan(1e-12);
      expect(lossOfOrthogonality(u)).toBeLessThan(1e-13);
      expect(lossOfOrthogonality(v)).toBeLessThan(1e-13);
    }
  });

  it('comes close to the best approximation where the spectrum falls, from below', () => {
    const a = withSpectrum(120, 100, logspace(0, -3, 100));
    const exact = svd(a).s;
    const { u, s, v } = randomizedSvd(a, 12);
    s.forEach((value, i) => {
      expect(value).toBeLessThanOrEqual(exact[i]! * (1 + 1e-12));
      expect(value).toBeGreaterThan(0.95 * exact[i]!);
    });
    const error = distance(a, multiply(scaleColumns(u, s), flip(v)));
    expect(error).toBeLessThan(1.02 * Math.hypot(...exact.subarray(12)));
  });

  it('has the signs of svd, and the same bits for the same seed', () => {
    const a = withSpectrum(50, 40, [5, 4, 3, 2]);
    const one = randomizedSvd(a, 4, { seed: 3 });
    expect(randomizedSvd(a, 4, { seed: 3 })).toEqual(one);
    const other = randomizedSvd(a, 4, { seed: 4 });
    expect(distance(other.u, one.u)).toBeLessThan(1e-12);
    expect(distance(one.u, svd(a, { rank: 4 }).u)).toBeLessThan(1e-12);
  });

  it('reads large matrices in blocks of rows, strided or not', () => {
    const left = gaussian(5000, 3, 1);
    const right = gaussian(3, 2000, 2);
    const stride = 2003;
    const data = new Float32Array(5000 * stride);
    for (let i = 0; i < 5000; i++) {
      for (let p = 0; p < 3; p++) {
        const factor = left.data[i * 3 + p]!;
        for (let j = 0; j < 2000; j++) data[i * stride + j]! += factor * right.data[p * 2000 + j]!;
      }
    }
    const { s } = randomizedSvd(matrix(data, 5000, 2000, stride), 3, { powerIterations: 0, oversampling: 2 });
    // The product of the factors' Gram matrices has the squares as eigenvalues.
    const small = multiply(multiply(flip(left), left), multiply(right, flip(right)));
    let trace = 0;
    for (let i = 0; i < 3; i++) trace += small.data[i * 4]!;
    expect(Math.hypot(...s) / Math.sqrt(trace)).toBeCloseTo(1, 6);
  });

  it('rejects ranks and options out of range', () => {
    const a = build(3, 4, () => 1);
    expect(() => randomizedSvd(a, 4)).toThrow('rank is 4');
    expect(() => randomizedSvd(a, 1, { oversampling: -1 })).toThrow('oversampling is -1');
    expect(() => randomizedSvd(a, 1, { powerIterations: 0.5 })).toThrow('powerIterations is 0.5');
    expect(() =>
      randomizedSvd(
        build(3, 4, () => Number.NaN),
        1,
      ),
    ).toThrow('NaN');
  });
});
