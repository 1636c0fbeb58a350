import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DenseMatrix, type Eigh, eigenvalues, eigh, matrix } from '../../src/linalg/index.js';
import {
  build,
  distance,
  flip,
  frobenius,
  gluedWilkinson,
  hilbert,
  identity,
  logspace,
  lossOfOrthogonality,
  multiply,
  orthonormal,
  scaleColumns,
  symmetric,
  tridiagonal,
  wilkinson,
} from './matrices.js';

const TOLERANCE = 1e-13;

/** A symmetric matrix with known eigenvalues. */
function withEigenvalues(values: readonly number[], seed = 3): DenseMatrix {
  const q = orthonormal(values.length, values.length, seed);
  const a = multiply(scaleColumns(q, values), flip(q));
  return build(a.rows, a.cols, (i, j) => (a.data[i * a.cols + j]! + a.data[j * a.cols + i]!) / 2);
}

const CASES: Record<string, DenseMatrix> = {
  '1×1': build(1, 1, () => -2),
  '2×2': build(2, 2, (i, j) => [2, 1, 1, 2][2 * i + j]!),
  'order 33': symmetric(33, 1),
  'order 130': symmetric(130, 2),
  'order 300': symmetric(300, 3),
  wilkinson: wilkinson(60),
  'glued Wilkinson': gluedWilkinson(10, 7, 1e-12),
  hilbert: hilbert(70),
  zero: build(40, 40, () => 0),
  identity: identity(70),
  ones: build(65, 65, () => 1),
  diagonal: build(50, 50, (i, j) => (i === j ? 25 - i : 0)),
  'second difference': tridiagonal(Array(100).fill(2), Array(99).fill(-1)),
  clustered: withEigenvalues([
    ...Array(30).fill(1),
    ...Array.from({ length: 40 }, (_, i) => 2 + i * 1e-16),
    -5,
  ]),
  'graded over 30 orders': withEigenvalues(logspace(0, -30, 80)),
  'graded in place': build(60, 60, (i, j) => 10 ** (-(i + j) / 2) * (1 + ((i * j) % 7))),
  'both signs': withEigenvalues(Array.from({ length: 90 }, (_, i) => (i % 2 ? 1 : -1) * (i + 1))),
  'rank one, negative': build(48, 48, (i, j) => -(i + 1) * (j + 1)),
  huge: build(40, 40, (i, j) => 1e300 * Math.sin(1 + i + j)),
  tiny: build(40, 40, (i, j) => 1e-300 * Math.sin(1 + i + j)),
};

function expectEigh(a: DenseMatrix, { values, vectors }: Eigh): void {
  const size = Math.max(...values.map(Math.abs));
  const rebuilt = multiply(scaleColumns(vectors, values), flip(vectors));
  expect(distance(a, rebuilt)).toBeLessThanOrEqual(TOLERANCE * (size || 1));
  expect(lossOfOrthogonality(vectors)).toBeLessThanOrEqual(TOLERANCE);
  for (let i = 1; i < values.length; i++) expect(values[i]).toBeLessThanOrEqual(values[i - 1]!);
}

describe('eigh', () => {
  for (const [name, a] of Object.entries(CASES)) {
    it(name, () => {
      const whole = eigh(a);
      expectEigh(a, whole);
      const size = Math.max(...whole.values.map(Math.abs));
      eigenvalues(a).forEach((value, i) => {
        expect(Math.abs(value - whole.values[i]!)).toBeLessThanOrEqual(TOLERANCE * size);
      });
      for (const rank of new Set([1, Math.ceil(a.rows / 3)])) {
        const part = eigh(a, { rank });
        expect([part.values.length, part.vectors.rows, part.vectors.cols]).toEqual([rank, a.rows, rank]);
        expect(lossOfOrthogonality(part.vectors)).toBeLessThanOrEqual(TOLERANCE);
        const image = multiply(a, part.vectors);
        expect(distance(image, scaleColumns(part.vectors, part.values))).toBeLessThanOrEqual(
          TOLERANCE * (size || 1),
        );
        part.values.forEach((value, i) => {
          expect(Math.abs(value - whole.values[i]!)).toBeLessThanOrEqual(TOLERANCE * size);
        });
      }
    });
  }

  it('holds for random orders', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 1e6 }), (n, seed) => {
        const a = symmetric(n, seed);
        const result = eigh(a);
        expectEigh(a, result);
        let trace = 0;
        for (let i = 0; i < n; i++) trace += a.data[i * n + i]!;
        expect(result.values.reduce((x, y) => x + y)).toBeCloseTo(trace, 10);
        expect(Math.hypot(...result.values)).toBeCloseTo(frobenius(a), 10);
      }),
      { numRuns: 40 },
    );
  });

  it('knows the eigenvalues of the second difference matrix', () => {
    const n = 100;
    eigenvalues(CASES['second difference']!).forEach((value, i) => {
      expect(Math.abs(value - (2 + 2 * Math.cos(((i + 1) * Math.PI) / (n + 1))))).toBeLessThan(1e-13);
    });
  });

  it('reads the lower triangle only', () => {
    const a = symmetric(50, 8);
    const lower = build(50, 50, (i, j) => (j <= i ? a.data[i * 50 + j]! : 0));
    expect(eigh(lower).values).toEqual(eigh(a).values);
  });

  it('rejects what is not square or not finite', () => {
    expect(() => eigh(matrix(new Float64Array(6), 2, 3))).toThrow('must be square, but is 2 × 3');
    expect(() => eigh(matrix(Float64Array.of(1, 2, Number.NaN, 4), 2, 2))).toThrow('element (1, 0) is NaN');
    expect(() => eigh(matrix(new Float64Array(4), 2, 2), { rank: 3 })).toThrow('rank is 3');
  });
});
