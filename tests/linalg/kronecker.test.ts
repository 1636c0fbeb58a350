import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DenseMatrix, matrix, nearestKronecker } from '../../src/linalg/index.js';
import { build, distance, frobenius, gaussian } from './matrices.js';

/** The Kronecker product by its definition. */
const kron = (a: DenseMatrix, b: DenseMatrix): DenseMatrix =>
  build(a.rows * b.rows, a.cols * b.cols, (i, j) => {
    const left = a.data[Math.floor(i / b.rows) * a.cols + Math.floor(j / b.cols)]!;
    return left * b.data[(i % b.rows) * b.cols + (j % b.cols)]!;
  });

const sumOf = (matrices: DenseMatrix[]): DenseMatrix =>
  build(matrices[0]!.rows, matrices[0]!.cols, (i, j) =>
    matrices.reduce((sum, a) => sum + a.data[i * a.cols + j]!, 0),
  );

describe('nearestKronecker', () => {
  const size = fc.integer({ min: 1, max: 6 });

  it('finds the factors of a Kronecker product', () => {
    fc.assert(
      fc.property(size, size, size, size, (m1, n1, m2, n2) => {
        const a = kron(gaussian(m1, n1, 1), gaussian(m2, n2, 2));
        const { left, right, s } = nearestKronecker(a, [m1, n1]);
        expect(distance(kron(left[0]!, right[0]!), a)).toBeLessThan(1e-13 * frobenius(a));
        expect(s[0]).toBeCloseTo(frobenius(a), 10);
        expect(frobenius(left[0]!)).toBeCloseTo(frobenius(right[0]!), 10);
      }),
    );
  });

  it('leaves the tail of the rearranged spectrum as its error', () => {
    const a = gaussian(12, 20, 3);
    const all = nearestKronecker(a, [3, 4], 12);
    expect(Math.hypot(...all.s)).toBeCloseTo(frobenius(a), 10);
    for (const terms of [1, 4, 12]) {
      const { left, right } = nearestKronecker(a, [3, 4], terms);
      const approximation = sumOf(left.map((b, k) => kron(b, right[k]!)));
      expect(distance(approximation, a)).toBeCloseTo(Math.hypot(0, ...all.s.subarray(terms)), 10);
    }
  });

  it('reads strided views', () => {
    const wide = gaussian(6, 11, 4);
    const view = matrix(wide.data.subarray(2), 6, 8, 11);
    const copy = build(6, 8, (i, j) => wide.data[i * 11 + 2 + j]!);
    expect(nearestKronecker(view, [2, 4])).toEqual(nearestKronecker(copy, [2, 4]));
  });

  it('rejects shapes that do not divide and too many terms', () => {
    expect(() => nearestKronecker(gaussian(6, 6), [4, 2])).toThrow(
      '6 × 6 cannot be cut into 4 × 2 equal blocks',
    );
    expect(() => nearestKronecker(gaussian(6, 6), [2, 2], 5)).toThrow('rank is 5');
  });
});
