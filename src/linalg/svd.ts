import { WhittleError } from '../graph/errors.js';
import { svdBytes } from './forecast.js';
import type { Kernels } from './kernels.js';
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
 * Singular values alone, largest first: min(m, n) of them, or `rank`.
 * @throws WhittleError as `svd`
 */
export function singularValues(a: Matrix, options: { rank?: number } = {}): Float64Array<ArrayBuffer> {
  assertMatrix(a);
  const { rows: m, cols: n } = a;
  const { rank = Math.min(m, n) } = options;
  assertRank(rank, Math.min(m, n));
  return withKernels(
    svdBytes(m, n, { rank }),
    `singular values of ${m} × ${n}`,
    kernels => decompose(kernels, a, rank, 0).s,
  );
}

/** The kernel wants at least as many rows as columns: a wide matrix goes in transposed, its vectors change roles. */
function decompose(kernels: Kernels, a: Matrix, rank: number, tallCols: number) {
  const { rows: m, cols: n } = a;
  const long = Math.max(m, n);
  const short = Math.min(m, n);
  let p = write(kernels, a);
  const exponent = normalize(kernels, m * n, p);
  if (m < n) {
    const flipped = kernels.take(m * n);
    kernels.transpose(m, n, p, n, flipped, m);
    p = flipped;
  }
  const sigma = kernels.take(short);
  const tall = kernels.take(long * tallCols);
  const flat = kernels.take(short * rank);
  if (!kernels.gesdd(long, short, p, rank, sigma, tall, tallCols, flat, m < n)) {
    throw new WhittleError(`svd of ${m} × ${n}: the eigenvalue iteration did not converge`, {
      hint: 'This should not happen for finite input; please report the matrix',
    });
  }
  const s = read(kernels, sigma, rank);
  scaleBack(s, exponent);
  return {
    s,
    tallVectors: read(kernels, tall, long * tallCols),
    flatVectors: tallCols === 0 ? new Float64Array(0) : read(kernels, flat, short * rank),
  };
}
