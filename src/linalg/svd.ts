import { WhittleError } from '../graph/errors.js';
import { singularValuesBytes, svdBytes } from './forecast.js';
import type { Kernels, Pointer } from './kernels.js';
import { assertMatrix, assertRank, type DenseMatrix, dense, type Matrix } from './matrix.js';
import { normalize, read, scaleBack, withKernels, write } from './workspace.js';

export interface SvdOptions {
  /** Only so many of the largest singular values with their vectors. */
  rank?: number;
  /** Square orthogonal u (m × m) and v (n × n), beyond the singular vectors completed to a basis. */
  full?: boolean;
}

/** A = u · diag(s) · vᵀ. With r singular values: r = rank where that is given, else min(m, n). */
export interface Svd {
  /** m × r: column i is the left singular vector of s[i]. m × m with `full`. */
  readonly u: DenseMatrix;
  /** r singular values, largest first, none negative. */
  readonly s: Float64Array<ArrayBuffer>;
  /** n × r (not transposed): column i is the right singular vector of s[i]. n × n with `full`. */
  readonly v: DenseMatrix;
}

/**
 * Singular value decomposition of an m × n matrix, in float64 whatever the input.
 *
 * Returns `{ u, s, v }`: u is m × r, s has r values, v is n × r, all row-major, with r = min(m, n) or `rank`, and
 * A ≈ u · diag(s) · vᵀ. The element of largest magnitude in each column of u is positive. Residual and loss of
 * orthogonality stay below 1e-13 (relative to s[0]); the same matrix gives the same bits on every run.
 *
 * @example
 * const { u, s, v } = svd(matrix(weights, 768, 3072), { rank: 64 });
 * @throws WhittleError for NaN and infinite elements, lengths that do not fit, a rank outside 1 … min(m, n), and
 *   matrices that do not fit into WebAssembly's 4 GiB
 */
export function svd(a: Matrix, options: SvdOptions = {}): Svd {
  assertMatrix(a);
  const { rows: m, cols: n } = a;
  const { rank = Math.min(m, n), full = false } = options;
  assertRank(rank, Math.min(m, n));
  if (full && rank < Math.min(m, n)) {
    throw new WhittleError('svd: rank and full contradict each other', { hint: 'Give one of them' });
  }
  return withKernels(svdBytes(m, n, options), `svd of ${m} × ${n}`, kernels => {
    const tall = m >= n;
    const uCols = full ? m : rank;
    const vCols = full ? n : rank;
    const [tallCols, flatCols] = tall ? [uCols, vCols] : [vCols, uCols];
    const { s, tallVectors, flatVectors } = decompose(kernels, a, rank, tallCols);
    return {
      u: tall ? dense(tallVectors, m, uCols) : dense(flatVectors, m, flatCols),
      s,
      v: tall ? dense(flatVectors, n, flatCols) : dense(tallVectors, n, vCols),
    };
  });
}

/**
 * Singular values alone, largest first: min(m, n) of them, or `rank`. About twice as fast as `svd`.
 * @throws WhittleError as `svd`
 */
export function singularValues(a: Matrix, options: { rank?: number } = {}): Float64Array<ArrayBuffer> {
  assertMatrix(a);
  const { rows: m, cols: n } = a;
  const short = Math.min(m, n);
  const { rank = short } = options;
  assertRank(rank, short);
  return withKernels(singularValuesBytes(m, n), `singular values of ${m} × ${n}`, kernels => {
    const { p, exponent } = loadTall(kernels, a);
    const sigma = kernels.take(short);
    assertConverged(kernels.gramValues(Math.max(m, n), short, p, sigma), a);
    const s = read(kernels, sigma, rank);
    scaleBack(s, exponent);
    return s;
  });
}

function decompose(kernels: Kernels, a: Matrix, rank: number, tallCols: number) {
  const long = Math.max(a.rows, a.cols);
  const short = Math.min(a.rows, a.cols);
  const { p, exponent } = loadTall(kernels, a);
  const sigma = kernels.take(short);
  const tall = kernels.take(long * tallCols);
  const flat = kernels.take(short * rank);
  assertConverged(kernels.gesdd(long, short, p, rank, sigma, tall, tallCols, flat, a.rows < a.cols), a);
  const s = read(kernels, sigma, rank);
  scaleBack(s, exponent);
  return {
    s,
    tallVectors: read(kernels, tall, long * tallCols),
    flatVectors: read(kernels, flat, short * rank),
  };
}

/** The kernels want at least as many rows as columns: a wide matrix goes in transposed, its vectors change roles. */
function loadTall(kernels: Kernels, a: Matrix): { p: Pointer; exponent: number } {
  const { rows: m, cols: n } = a;
  const p = write(kernels, a);
  const exponent = normalize(kernels, m * n, p);
  if (m >= n) return { p, exponent };
  const flipped = kernels.take(m * n);
  kernels.transpose(m, n, p, n, flipped, m);
  return { p: flipped, exponent };
}

function assertConverged(result: number, a: Matrix): void {
  if (result) return;
  throw new WhittleError(`svd of ${a.rows} × ${a.cols}: the eigenvalue iteration did not converge`, {
    hint: 'This should not happen for finite input; please report the matrix',
  });
}
