import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { type DenseMatrix, matrix, type Svd, singularValues, svd } from '../../src/linalg/index.js';
import {
  build,
  distance,
  flip,
  frobenius,
  gaussian,
  hardMatrices,
  leading,
  lossOfOrthogonality,
  multiply,
  scaleColumns,
  withSpectrum,
} from './matrices.js';

const TOLERANCE = 1e-13;
/** Results below the normal range of float64 are rounded to multiples of 5e-324. */
const DENORMALS = 1e-321;

const rebuilt = ({ u, s, v }: Svd, rank = s.length): DenseMatrix =>
  multiply(scaleColumns(leading(u, rank), s), flip(leading(v, rank)));

/** Everything that must hold for any matrix at all. */
function expectSvd(a: DenseMatrix, result: Svd): void {
  const { u, s, v } = result;
  const r = Math.min(a.rows, a.cols);
  expect([u.rows, u.cols, s.length, v.rows, v.cols]).toEqual([a.rows, r, r, a.cols, r]);
  const size = s[0]!;
  expect(distance(a, rebuilt(result))).toBeLessThanOrEqual(TOLERANCE * size + DENORMALS);
  expect(lossOfOrthogonality(u)).toBeLessThanOrEqual(TOLERANCE);
  expect(lossOfOrthogonality(v)).toBeLessThanOrEqual(TOLERANCE);
  for (let i = 0; i < r; i++) {
    expect(s[i]).toBeGreaterThanOrEqual(i + 1 < r ? s[i + 1]! : 0);
    const column = Array.from({ length: a.rows }, (_, row) => u.data[row * r + i]!);
    const largest = column.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
    expect(largest).toBeGreaterThan(0);
  }
}

describe('svd of matrices known to be hard', () => {
  for (const [name, a] of Object.entries(hardMatrices())) {
    it(name, () => {
      const result = svd(a);
      expectSvd(a, result);
      const values = singularValues(a);
      values.forEach((value, i) => {
        expect(Math.abs(value - result.s[i]!)).toBeLessThanOrEqual(TOLERANCE * result.s[0]!);
      });
      // Aᵀ has the same singular values.
      singularValues(flip(a)).forEach((value, i) => {
        expect(Math.abs(value - result.s[i]!)).toBeLessThanOrEqual(TOLERANCE * result.s[0]!);
      });
    });
  }
});

describe('svd', () => {
  const shapes = fc.record({
    m: fc.integer({ min: 1, max: 70 }),
    n: fc.integer({ min: 1, max: 70 }),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });

  it('holds for random shapes', () => {
    fc.assert(
      fc.property(shapes, ({ m, n, seed }) => {
        const a = gaussian(m, n, seed);
        expectSvd(a, svd(a));
      }),
      { numRuns: 60 },
    );
  });

  it('holds for arbitrary finite numbers', () => {
    const element = fc.double({ noNaN: true, min: -1e300, max: 1e300 });
    const sizes = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }));
    fc.assert(
      fc.property(
        sizes.chain(([m, n]) =>
          fc.tuple(fc.constant(m), fc.array(element, { minLength: m * n, maxLength: m * n })),
        ),
        ([m, values]) => {
          const n = values.length / m;
          const a = build(m, n, (i, j) => values[i * n + j]!);
          expectSvd(a, svd(a));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('returns the singular values a matrix was made with', () => {
    const sigma = [9, 5, 5, 1, 1e-3, 1e-9];
    singularValues(withSpectrum(50, 30, sigma)).forEach((value, i) => {
      expect(Math.abs(value - (sigma[i] ?? 0))).toBeLessThanOrEqual(TOLERANCE * 9);
    });
  });

  it('scales with the matrix, exactly for powers of two', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: -200, max: 200 }), ({ m, n, seed }, exponent) => {
        const a = gaussian(m, n, seed);
        const scaled = build(m, n, (i, j) => a.data[i * n + j]! * 2 ** exponent);
        const one = svd(a);
        const two = svd(scaled);
        expect(two.u.data).toEqual(one.u.data);
        expect(two.v.data).toEqual(one.v.data);
        expect(Array.from(two.s)).toEqual(Array.from(one.s, x => x * 2 ** exponent));
      }),
      { numRuns: 20 },
    );
  });

  it('exchanges u and v for the transpose, up to one sign a pair', () => {
    const a = gaussian(40, 25, 11);
    const one = svd(a);
    const two = svd(flip(a));
    for (let j = 0; j < 25; j++) {
      let product = 0;
      for (let i = 0; i < 40; i++) product += one.u.data[i * 25 + j]! * two.v.data[i * 25 + j]!;
      expect(Math.abs(Math.abs(product) - 1)).toBeLessThan(1e-12);
    }
  });

  it('truncates to the best approximation: the error is the tail (Eckart & Young 1936)', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), ({ m, n, seed }, k) => {
        const a = gaussian(m, n, seed);
        const whole = svd(a);
        const rank = 1 + (k % whole.s.length);
        const tail = Math.hypot(0, ...whole.s.subarray(rank));
        expect(Math.abs(distance(a, rebuilt(whole, rank)) - tail)).toBeLessThan(1e-12 * whole.s[0]!);
      }),
      { numRuns: 30 },
    );
  });

  for (const [name, a] of Object.entries(hardMatrices())) {
    it(`rank option: ${name}`, () => {
      const whole = svd(a);
      const count = whole.s.length;
      for (const rank of new Set([1, Math.ceil(count / 3), count])) {
        const part = svd(a, { rank });
        expect([part.u.cols, part.s.length, part.v.cols]).toEqual([rank, rank, rank]);
        expect(lossOfOrthogonality(part.u)).toBeLessThanOrEqual(TOLERANCE);
        expect(lossOfOrthogonality(part.v)).toBeLessThanOrEqual(TOLERANCE);
        const tail = Math.hypot(0, ...whole.s.subarray(rank).map(x => x / (whole.s[0]! || 1)));
        const error = distance(a, rebuilt(part)) / (whole.s[0]! || 1);
        expect(Math.abs(error - tail)).toBeLessThanOrEqual(1e-12);
        part.s.forEach((value, i) => {
          expect(Math.abs(value - whole.s[i]!)).toBeLessThanOrEqual(TOLERANCE * whole.s[0]!);
        });
      }
    });
  }

  it('completes both sides to orthogonal matrices with full', () => {
    for (const [m, n] of [
      [30, 12],
      [12, 30],
      [20, 20],
      [1, 9],
      [9, 1],
      [130, 70],
    ] as const) {
      const a = gaussian(m, n, m);
      const { u, s, v } = svd(a, { full: true });
      expect([u.rows, u.cols, s.length, v.rows, v.cols]).toEqual([m, m, Math.min(m, n), n, n]);
      expect(lossOfOrthogonality(u)).toBeLessThanOrEqual(TOLERANCE);
      expect(lossOfOrthogonality(v)).toBeLessThanOrEqual(TOLERANCE);
      expect(distance(a, rebuilt({ u, s, v }, s.length))).toBeLessThanOrEqual(TOLERANCE * s[0]!);
    }
  });

  it('reads float32 and strided views without changing them', () => {
    const wide = Float32Array.from(gaussian(20, 16, 5).data);
    const before = wide.slice();
    const view = matrix(wide.subarray(3), 20, 9, 16);
    const copy = build(20, 9, (i, j) => wide[i * 16 + 3 + j]!);
    expect(svd(view)).toEqual(svd(copy));
    expect(wide).toEqual(before);
  });

  it('gives the same bits every time', () => {
    const a = gaussian(120, 90, 3);
    const first = svd(a);
    svd(gaussian(33, 200, 4));
    expect(svd(a)).toEqual(first);
  });

  it('holds on a matrix with several levels of division', () => {
    const a = gaussian(280, 260, 9);
    const result = svd(a);
    expectSvd(a, result);
    expect(Math.abs(frobenius(a) - Math.hypot(...result.s))).toBeLessThan(1e-11);
  });

  it('says what is wrong', () => {
    const data = new Float64Array(12).fill(1);
    expect(() => svd(matrix(data, 3, 5))).toThrow(WhittleError);
    expect(() => svd(matrix(data, 3, 4), { rank: -1 })).toThrow(
      'rank is -1, but must be an integer from 1 to 3',
    );
    expect(() => svd(matrix(data, 3, 4), { rank: 4 })).toThrow('rank is 4');
    expect(() => svd(matrix(data, 3, 4), { rank: 1.5 })).toThrow('rank is 1.5');
    expect(() => svd(matrix(data, 3, 4), { rank: 2, full: true })).toThrow('contradict');
    expect(() => matrix(data, 0, 4)).toThrow('rows is 0');
    expect(() => matrix(data, 3, 4, 2)).toThrow('stride 2 is less than its 4 columns');
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const broken = data.slice();
      broken[6] = bad;
      expect(() => svd(matrix(broken, 3, 4))).toThrow(`element (1, 2) is ${bad}`);
      expect(() => singularValues(matrix(broken, 3, 4))).toThrow(`element (1, 2) is ${bad}`);
    }
  });

  it('names the size of a matrix that no WebAssembly memory holds', () => {
    const huge = { data: new Float64Array(0), rows: 30_000, cols: 30_000, stride: 30_000 };
    Object.defineProperty(huge.data, 'length', { value: 9e8 });
    expect(() => svd(huge)).toThrow(/svd of 30000 × 30000 needs \d+\.\d+ GiB.*randomizedSvd/);
  });
});
