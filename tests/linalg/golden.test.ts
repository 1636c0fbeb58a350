import { describe, expect, it } from 'vitest';
import { type DenseMatrix, eigenvalues, eigh, singularValues, svd } from '../../src/linalg/index.js';
import golden from './golden/lapack.json' with { type: 'json' };
import { build } from './matrices.js';

/** The same matrices as in golden/make.py, bit for bit. */
const MATRICES: Record<keyof typeof golden, DenseMatrix> = {
  pseudorandom: build(70, 70, (i, j) => (((i * 7919 + j * 104729 + i * j * 31) % 1009) - 504) / 504),
  tall: build(120, 40, (i, j) => (((i * i * 17 + j * 331 + i * j) % 257) - 128) / 128),
  wide: build(35, 90, (i, j) => (((i * 53 + j * j * 29 + i * i * j) % 127) - 63) / 64),
  hilbert: build(40, 40, (i, j) => 1 / (i + j + 1)),
  graded: build(48, 48, (i, j) => 2 ** (-2 * j) * (((i * 37 + j * 101 + i * j) % 61) - 30)),
  'low rank': build(50, 45, (i, j) => (i % 4) * (j % 5) - (i % 3) * (j % 2)),
  wilkinson: build(61, 61, (i, j) => (i === j ? Math.abs(i - 30) : Number(Math.abs(i - j) === 1))),
  glued: build(75, 75, (i, j) => {
    if (i === j) return Math.abs((i % 15) - 7);
    if (Math.abs(i - j) !== 1) return 0;
    return Math.max(i, j) % 15 === 0 ? 2 ** -36 : 1;
  }),
  'second difference': build(64, 64, (i, j) => (i === j ? 2 : -Number(Math.abs(i - j) === 1))),
};

/** The largest difference, as a share of the largest magnitude. */
function difference(actual: Float64Array, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!))) / scale;
}

describe('LAPACK agrees', () => {
  for (const name of Object.keys(golden) as (keyof typeof golden)[]) {
    it(name, () => {
      const a = MATRICES[name];
      const expected = golden[name];
      expect(difference(svd(a).s, expected.singularValues)).toBeLessThanOrEqual(1e-13);
      expect(difference(singularValues(a), expected.singularValues)).toBeLessThanOrEqual(1e-13);
      if (!('eigenvalues' in expected)) return;
      expect(difference(eigh(a).values, expected.eigenvalues)).toBeLessThanOrEqual(1e-13);
      expect(difference(eigenvalues(a), expected.eigenvalues)).toBeLessThanOrEqual(1e-13);
    });
  }
});
