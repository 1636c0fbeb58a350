import { type DenseMatrix, dense } from '../../src/linalg/matrix.js';

/** A small generator of uniform numbers in [0, 1) (Mulberry32), so that every run sees the same matrices. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers (Box & Muller). */
function normal(seed: number): () => number {
  const next = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

export function build(rows: number, cols: number, element: (i: number, j: number) => number): DenseMatrix {
  const data = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) data[i * cols + j] = element(i, j);
  return dense(data, rows, cols);
}

export function gaussian(rows: number, cols: number, seed = 1): DenseMatrix {
  const next = normal(seed);
  return build(rows, cols, () => next());
}

/** Orthonormal columns by modified Gram–Schmidt, twice: independent of the code under test. */
export function orthonormal(rows: number, cols: number, seed: number): DenseMatrix {
  const columns = Array.from({ length: cols }, (_, j) => {
    const next = normal(seed * 1000 + j);
    return Float64Array.from({ length: rows }, () => next());
  });
  for (let j = 0; j < cols; j++) {
    const x = columns[j]!;
    for (let pass = 0; pass < 2; pass++) {
      for (let p = 0; p < j; p++) {
        const y = columns[p]!;
        let product = 0;
        for (let i = 0; i < rows; i++) product += x[i]! * y[i]!;
        for (let i = 0; i < rows; i++) x[i]! -= product * y[i]!;
      }
    }
    const length = Math.hypot(...x);
    for (let i = 0; i < rows; i++) x[i]! /= length;
  }
  return build(rows, cols, (i, j) => columns[j]![i]!);
}

/** A matrix with known singular values. */
export function withSpectrum(rows: number, cols: number, sigma: readonly number[], seed = 7): DenseMatrix {
  const u = orthonormal(rows, sigma.length, seed);
  const v = orthonormal(cols, sigma.length, seed + 1);
  return multiply(scaleColumns(u, sigma), flip(v));
}

export function scaleColumns(a: DenseMatrix, factors: ArrayLike<number>): DenseMatrix {
  return build(a.rows, a.cols, (i, j) => a.data[i * a.stride + j]! * factors[j]!);
}

/** The transpose; written again here so that the tests rest on nothing they test. */
export function flip(a: DenseMatrix): DenseMatrix {
  return build(a.cols, a.rows, (i, j) => a.data[j * a.stride + i]!);
}

/** The product by its definition. */
export function multiply(a: DenseMatrix, b: DenseMatrix): DenseMatrix {
  const data = new Float64Array(a.rows * b.cols);
  for (let i = 0; i < a.rows; i++) {
    for (let p = 0; p < a.cols; p++) {
      const factor = a.data[i * a.stride + p]!;
      for (let j = 0; j < b.cols; j++) data[i * b.cols + j]! += factor * b.data[p * b.stride + j]!;
    }
  }
  return dense(data, a.rows, b.cols);
}

/** The first `count` columns, a copy. */
export function leading(a: DenseMatrix, count: number): DenseMatrix {
  return build(a.rows, count, (i, j) => a.data[i * a.stride + j]!);
}

export function identity(n: number): DenseMatrix {
  return build(n, n, (i, j) => (i === j ? 1 : 0));
}

/** Frobenius norm, safe against overflow. */
export function frobenius(a: DenseMatrix): number {
  let largest = 0;
  for (const value of a.data) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return 0;
  let sum = 0;
  for (const value of a.data) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
}

export function distance(a: DenseMatrix, b: DenseMatrix): number {
  return frobenius(build(a.rows, a.cols, (i, j) => a.data[i * a.stride + j]! - b.data[i * b.stride + j]!));
}

/** ‖aᵀa − I‖: how far the columns are from orthonormal. */
export function lossOfOrthogonality(a: DenseMatrix): number {
  return distance(multiply(flip(a), a), identity(a.cols));
}

export function symmetric(n: number, seed = 1): DenseMatrix {
  const a = gaussian(n, n, seed);
  return build(n, n, (i, j) => (a.data[i * n + j]! + a.data[j * n + i]!) / 2);
}

export function tridiagonal(diagonal: readonly number[], beside: readonly number[]): DenseMatrix {
  const n = diagonal.length;
  return build(n, n, (i, j) => {
    if (i === j) return diagonal[i]!;
    return Math.abs(i - j) === 1 ? beside[Math.min(i, j)]! : 0;
  });
}

/** Wilkinson's W⁺ of order 2k + 1: pairs of eigenvalues that agree to many digits. */
export function wilkinson(k: number): DenseMatrix {
  const diagonal = Array.from({ length: 2 * k + 1 }, (_, i) => Math.abs(i - k));
  return tridiagonal(diagonal, Array(2 * k).fill(1));
}

/** `copies` of W⁺ joined by weak couplings: clusters of nearly equal eigenvalues. */
export function gluedWilkinson(k: number, copies: number, glue: number): DenseMatrix {
  const order = 2 * k + 1;
  const diagonal = Array.from({ length: order * copies }, (_, i) => Math.abs((i % order) - k));
  const beside = Array.from({ length: order * copies - 1 }, (_, i) => ((i + 1) % order === 0 ? glue : 1));
  return tridiagonal(diagonal, beside);
}

export function hilbert(rows: number, cols = rows): DenseMatrix {
  return build(rows, cols, (i, j) => 1 / (i + j + 1));
}

export const logspace = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => 10 ** (from + ((to - from) * i) / Math.max(1, count - 1)));

/** The matrices that break decompositions, by name. */
export function hardMatrices(): Record<string, DenseMatrix> {
  return {
    '1×1': build(1, 1, () => -3),
    '1×n': gaussian(1, 37, 2),
    'n×1': gaussian(37, 1, 3),
    '2×2': build(2, 2, (i, j) => [1, 2, 3, 4][2 * i + j]!),
    square: gaussian(97, 97, 4),
    tall: gaussian(150, 70, 5),
    wide: gaussian(70, 150, 6),
    'very tall': gaussian(3000, 11, 7),
    'graded over 30 orders': withSpectrum(90, 90, logspace(0, -30, 90)),
    'graded columns': scaleColumns(gaussian(80, 60, 8), logspace(15, -15, 60)),
    'graded rows': flip(scaleColumns(gaussian(80, 60, 9), logspace(15, -15, 60))),
    'three orders': withSpectrum(120, 100, logspace(0, -3, 100)),
    clustered: withSpectrum(80, 80, [
      ...Array(30).fill(1),
      ...Array.from({ length: 30 }, (_, i) => 1e-3 + i * 1e-17),
      ...Array(20).fill(1e-9),
    ]),
    'one outlier over a bulk': withSpectrum(90, 80, [
      1,
      ...Array.from({ length: 79 }, (_, i) => 0.01 + i * 1e-6),
    ]),
    wilkinson: wilkinson(40),
    'glued Wilkinson': gluedWilkinson(10, 5, 1e-11),
    hilbert: hilbert(60),
    'rank 5': withSpectrum(70, 60, [5, 4, 3, 2, 1]),
    'two equal columns': build(30, 20, (i, j) => Math.sin(i * (j >> 1) + i)),
    'zero column': build(40, 30, (i, j) => (j === 7 ? 0 : Math.cos(i * 1.3 + j * j))),
    ones: build(50, 40, () => 1),
    identity: identity(45),
    zero: build(33, 21, () => 0),
    diagonal: build(40, 40, (i, j) => (i === j ? (i % 3) - 1 : 0)),
    huge: build(40, 35, (i, j) => 1e300 * Math.sin(1 + i * 35 + j)),
    tiny: build(35, 40, (i, j) => 1e-300 * Math.sin(1 + i * 40 + j)),
    denormal: build(12, 9, (i, j) => 1e-310 * ((i * 9 + j) % 5)),
    sparse: build(60, 50, (i, j) => ((i * 7 + j * 11) % 23 === 0 ? i - j : 0)),
  };
}
