import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cholesky, type DenseMatrix, matrix } from '../../src/linalg/index.js';
import { build, distance, flip, frobenius, gaussian, identity, multiply, symmetric } from './matrices.js';

const gramOf = (rows: number, n: number, seed: number): DenseMatrix => {
  const x = gaussian(rows, n, seed);
  return multiply(flip(x), x);
};

function expectFactor(a: DenseMatrix, options?: { ridge?: number }): number {
  const n = a.rows;
  const { l, ridge } = cholesky(a, options);
  const target = build(n, n, (i, j) => a.data[i * n + j]! + (i === j ? ridge : 0));
  expect(distance(target, multiply(l, flip(l)))).toBeLessThanOrEqual(1e-13 * (frobenius(a) || 1));
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) expect(l.data[i * n + j]).toBe(0);
  return ridge;
}

describe('cholesky', () => {
  it('factors positive definite matrices without a ridge', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 110 }), fc.integer({ min: 1, max: 1e6 }), (n, seed) => {
        expect(expectFactor(gramOf(n + 10, n, seed))).toBe(0);
      }),
      { numRuns: 15 },
    );
  });

  it('adds a small ridge to semidefinite ones and says how much', () => {
    for (const [rows, n] of [
      [3, 40],
      [20, 90],
      [1, 70],
    ] as const) {
      const a = gramOf(rows, n, n);
      const ridge = expectFactor(a);
      expect(ridge).toBeGreaterThan(0);
      expect(ridge).toBeLessThan(1e-11 * frobenius(a));
    }
  });

  it('adds the ridge asked for, as a share of the mean diagonal', () => {
    const a = gramOf(30, 20, 4);
    let mean = 0;
    for (let i = 0; i < 20; i++) mean += a.data[i * 21]! / 20;
    expect(expectFactor(a, { ridge: 0.01 })).toBeCloseTo(0.01 * mean, 12);
  });

  it('reads the lower triangle only', () => {
    const a = gramOf(30, 20, 5);
    const lower = build(20, 20, (i, j) => (j <= i ? a.data[i * 20 + j]! : -7));
    expect(cholesky(lower)).toEqual(cholesky(a));
  });

  it('takes zero, identity, huge and tiny matrices', () => {
    const zero = cholesky(build(5, 5, () => 0));
    expect(zero).toEqual({ l: build(5, 5, () => 0), ridge: 0 });
    expect(cholesky(identity(70))).toEqual({ l: identity(70), ridge: 0 });
    for (const scale of [1e250, 1e-250]) {
      const a = gramOf(20, 15, 6);
      expectFactor(build(15, 15, (i, j) => scale * a.data[i * 15 + j]!));
    }
  });

  it('rejects indefinite matrices, other shapes, NaN and a negative ridge', () => {
    expect(() => cholesky(symmetric(10, 1))).toThrow(/not positive semidefinite/);
    expect(() => cholesky(build(3, 3, (i, j) => (i === j ? -1 : 0)))).toThrow(/not positive semidefinite/);
    expect(() => cholesky(matrix(new Float64Array(6), 2, 3))).toThrow('must be square');
    expect(() => cholesky(matrix(Float64Array.of(Number.NaN), 1, 1))).toThrow('element (0, 0) is NaN');
    expect(() => cholesky(identity(2), { ridge: -1 })).toThrow('ridge is -1');
  });
});
