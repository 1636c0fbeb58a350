import { WhittleError } from '../graph/errors.js';
import { eighBytes } from './forecast.js';
import { assertSquare, type DenseMatrix, dense, type Matrix, toDense } from './matrix.js';
import { withKernels, write } from './workspace.js';

export interface CholeskyOptions {
  /** Added to the diagonal at once, as a share of its mean; 0 unless given. GPTQ calls it damping, 0.01 there. */
  ridge?: number;
}

/** A + ridge · I = l · lᵀ */
export interface Cholesky {
  /** n × n, lower triangular, zeros above the diagonal. */
  readonly l: DenseMatrix;
  /** What was added to every diagonal element, in the units of A; 0 for a matrix that is positive definite as it is. */
  readonly ridge: number;
}

/** Shares of the mean diagonal that are tried in turn on a matrix that is not positive definite. */
const RIDGES = [1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6];

/**
 * Cholesky factor of a symmetric positive semidefinite n × n matrix. Only the lower triangle is read.
 *
 * Where rounding or a missing rank makes a pivot vanish, a ridge is added to the diagonal and the factorization
 * repeated: 1e-15 of the mean diagonal, then ten times as much, up to 1e-6. The ridge in the result says how much it
 * was; it bounds the error of l · lᵀ in every direction. The zero matrix has the factor zero and needs no ridge.
 * @throws WhittleError for a matrix that is indefinite even so, not square, or not finite; for a negative ridge
 */
export function cholesky(a: Matrix, options: CholeskyOptions = {}): Cholesky {
  assertSquare(a);
  const n = a.rows;
  const { ridge = 0 } = options;
  if (!(ridge >= 0 && ridge < Number.POSITIVE_INFINITY)) {
    throw new WhittleError(`cholesky: ridge is ${ridge}, but must be a number from 0 on`);
  }
  const exact = toDense(a);
  let mean = 0;
  for (let i = 0; i < n; i++) mean += Math.max(0, exact.data[i * n + i]!) / n;
  return withKernels(eighBytes(n) / 5, `cholesky of ${n} × ${n}`, kernels => {
    let failedRow = 0;
    for (const share of [0, ...RIDGES]) {
      const start = kernels.mark();
      const added = (ridge + share) * mean;
      const p = write(kernels, exact);
      const elements = new Float64Array(kernels.memory.buffer, p, n * n);
      for (let i = 0; i < n; i++) elements[i * n + i]! += added;
      const failed = kernels.potrf(n, p, n);
      if (failed === 0) return { l: lowerTriangle(elements, n), ridge: added };
      failedRow = failed - 1;
      if (elements.every(value => value === 0)) return { l: dense(new Float64Array(n * n), n, n), ridge: 0 };
      kernels.release(start);
    }
    throw new WhittleError(`cholesky: the matrix is not positive semidefinite (pivot of row ${failedRow})`, {
      hint: 'Give a larger ridge, such as 0.01, or check that the matrix is a sum of squares',
    });
  });
}

function lowerTriangle(elements: Float64Array, n: number): DenseMatrix {
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) data.set(elements.subarray(i * n, i * n + i + 1), i * n);
  return dense(data, n, n);
}
