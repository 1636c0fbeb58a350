import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DenseMatrix, matrix, type Qr, qr, qrPivoted } from '../../src/linalg/index.js';
import {
  build,
  distance,
  frobenius,
  gaussian,
  hardMatrices,
  lossOfOrthogonality,
  multiply,
} from './matrices.js';

function expectQr(a: DenseMatrix, { q, r }: Qr): void {
  const k = Math.min(a.rows, a.cols);
  expect([q.rows, q.cols, r.rows, r.cols]).toEqual([a.rows, k, k, a.cols]);
  expect(lossOfOrthogonality(q)).toBeLessThanOrEqual(1e-13);
  expect(distance(a, multiply(q, r))).toBeLessThanOrEqual(1e-13 * frobenius(a));
  for (let i = 0; i < k; i++) {
    expect(r.data[i * a.cols + i]).toBeGreaterThanOrEqual(0);
    for (let j = 0; j < i; j++) expect(Math.abs(r.data[i * a.cols + j]!)).toBe(0);
  }
}

const permuted = (a: DenseMatrix, permutation: Int32Array): DenseMatrix =>
  build(a.rows, a.cols, (i, j) => a.data[i * a.cols + permutation[j]!]!);

describe('qr', () => {
  for (const [name, a] of Object.entries(hardMatrices())) {
    it(name, () => {
      expectQr(a, qr(a));
      const pivoted = qrPivoted(a);
      expectQr(permuted(a, pivoted.permutation), pivoted);
      expect(pivoted.permutation.toSorted()).toEqual(Int32Array.from({ length: a.cols }, (_, i) => i));
      const k = pivoted.r.rows;
      for (let i = 1; i < k; i++) {
        const [above, here] = [pivoted.r.data[(i - 1) * (a.cols + 1)]!, pivoted.r.data[i * (a.cols + 1)]!];
        expect(here).toBeLessThanOrEqual(above * (1 + 1e-7) + 1e-13 * frobenius(a));
      }
    });
  }

  it('holds for random shapes across the borders of blocks', () => {
    const size = fc.integer({ min: 1, max: 140 });
    fc.assert(
      fc.property(size, size, fc.integer({ min: 1, max: 1e6 }), (m, n, seed) => {
        const a = gaussian(m, n, seed);
        expectQr(a, qr(a));
      }),
      { numRuns: 25 },
    );
  });

  it('reveals the rank', () => {
    const a = multiply(gaussian(40, 6, 1), gaussian(6, 30, 2));
    const { r } = qrPivoted(a);
    expect(r.data[5 * 30 + 5]).toBeGreaterThan(1e-3);
    expect(r.data[6 * 30 + 6]).toBeLessThan(1e-12);
  });

  it('rejects what is not finite', () => {
    expect(() => qr(matrix(Float64Array.of(1, Number.NaN), 1, 2))).toThrow('element (0, 1) is NaN');
  });
});
