import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DenseMatrix,
  lstsq,
  pinv,
  qr,
  solveTriangular,
  symmetricInverseSqrt,
  symmetricSqrt,
} from '../../src/linalg/index.js';
import {
  build,
  distance,
  flip,
  frobenius,
  gaussian,
  hardMatrices,
  identity,
  multiply,
  symmetric,
  withSpectrum,
} from './matrices.js';

const size = fc.integer({ min: 1, max: 150 });
const few = fc.integer({ min: 1, max: 9 });

describe('solveTriangular', () => {
  it('solves all four forms and reads one triangle only', () => {
    fc.assert(
      fc.property(size, few, fc.boolean(), fc.boolean(), (n, k, upper, transpose) => {
        // A triangular factor of a random matrix is well conditioned enough.
        const r = qr(gaussian(n + 5, n, n)).r;
        const t = upper ? r : flip(r);
        const x = gaussian(n, k, n + k);
        const b = multiply(transpose ? flip(t) : t, x);
        const dirty = build(n, n, (i, j) => ((upper ? j >= i : j <= i) ? t.data[i * n + j]! : 99));
        const solution = solveTriangular(dirty, b, { upper, transpose });
        expect(distance(multiply(transpose ? flip(t) : t, solution), b)).toBeLessThan(
          1e-12 * (1 + frobenius(b)),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('rejects a singular matrix and sizes that do not fit', () => {
    expect(() =>
      solveTriangular(
        build(2, 2, (i, j) => i * j),
        gaussian(2, 1),
      ),
    ).toThrow(/diagonal element 0 is 0.*lstsq/);
    expect(() => solveTriangular(identity(2), gaussian(3, 1))).toThrow('b has 3 rows');
  });
});

describe('lstsq', () => {
  const residual = (a: DenseMatrix, x: DenseMatrix, b: DenseMatrix) => {
    const ax = multiply(a, x);
    return build(b.rows, b.cols, (i, j) => ax.data[i * b.cols + j]! - b.data[i * b.cols + j]!);
  };

  it('leaves a residual orthogonal to the columns, of full and of lower rank, tall and wide', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        few,
        fc.nat(40),
        (m, n, k, drop) => {
          const rank = Math.max(1, Math.min(m, n) - drop);
          const a = withSpectrum(
            m,
            n,
            Array.from({ length: rank }, (_, i) => 1 + i / rank),
            m + n,
          );
          const b = gaussian(m, k, m);
          const { x, rank: found } = lstsq(a, b);
          expect(found).toBe(rank);
          expect(frobenius(multiply(flip(a), residual(a, x, b)))).toBeLessThan(1e-12 * (1 + frobenius(b)));
          // Least norm: the same as the pseudo-inverse gives.
          expect(distance(x, multiply(pinv(a), b))).toBeLessThan(1e-11 * (1 + frobenius(x)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives zero for a zero matrix', () => {
    expect(
      lstsq(
        build(4, 3, () => 0),
        gaussian(4, 2),
      ),
    ).toEqual({ x: build(3, 2, () => 0), rank: 0 });
  });

  it('rejects sizes that do not fit', () => {
    expect(() => lstsq(gaussian(3, 2), gaussian(4, 1))).toThrow('a has 3 rows, b has 4');
  });
});

describe('pinv', () => {
  for (const [name, a] of Object.entries(hardMatrices())) {
    if (name === 'denormal' || name === 'tiny' || name === 'huge') continue; // the inverse leaves float64
    it(`satisfies Penrose's first two conditions: ${name}`, () => {
      const tolerance = 1e-6;
      const p = pinv(a, { tolerance });
      expect([p.rows, p.cols]).toEqual([a.cols, a.rows]);
      const scale = frobenius(a);
      const projector = multiply(p, a); // (n, n): the smaller side of very tall ones
      expect(distance(multiply(a, projector), a)).toBeLessThanOrEqual(20 * tolerance * scale);
      expect(distance(multiply(projector, p), p)).toBeLessThanOrEqual(1e-4 * (frobenius(p) || 1));
    });
  }

  it('is the inverse where there is one', () => {
    const a = withSpectrum(
      30,
      30,
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    expect(distance(multiply(a, pinv(a)), identity(30))).toBeLessThan(1e-12);
  });
});

describe('symmetricSqrt', () => {
  it('squares back, and its inverse inverts it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 1e6 }), (n, seed) => {
        const x = gaussian(n + 20, n, seed);
        const a = multiply(flip(x), x);
        const root = symmetricSqrt(a);
        const inverse = symmetricInverseSqrt(a);
        expect(distance(multiply(root, root), a)).toBeLessThan(1e-12 * frobenius(a));
        expect(distance(multiply(root, inverse), identity(n))).toBeLessThan(1e-10);
        expect(root.data).toEqual(flip(root).data);
      }),
      { numRuns: 25 },
    );
  });

  it('takes a semidefinite matrix; its inverse root is the pseudo-inverse', () => {
    const x = gaussian(4, 12, 1);
    const a = multiply(flip(x), x);
    const root = symmetricSqrt(a);
    expect(distance(multiply(root, root), a)).toBeLessThan(1e-12 * frobenius(a));
    const projector = multiply(root, symmetricInverseSqrt(a));
    let trace = 0;
    for (let i = 0; i < 12; i++) trace += projector.data[i * 13]!;
    expect(trace).toBeCloseTo(4, 9);
    expect(symmetricSqrt(build(3, 3, () => 0))).toEqual(build(3, 3, () => 0));
  });

  it('rejects an indefinite matrix', () => {
    expect(() => symmetricSqrt(symmetric(8, 1))).toThrow(/negative eigenvalue/);
  });
});
