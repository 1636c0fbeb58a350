import { WhittleError } from '../graph/errors.js';
import { eighBytes } from './forecast.js';
import type { Kernels } from './kernels.js';
import { assertRank, assertSquare, type DenseMatrix, dense, type Matrix } from './matrix.js';
import { normalize, read, scaleBack, withKernels, write } from './workspace.js';

/** A = vectors · diag(values) · vectorsᵀ */
export interface Eigh {
  /** r eigenvalues, largest first (the largest number, not the largest magnitude). */
  readonly values: Float64Array<ArrayBuffer>;
  /** n × r: column i is the unit eigenvector of values[i]. */
  readonly vectors: DenseMatrix;
}

/**
 * Eigenvalues and eigenvectors of a symmetric n × n matrix, in float64. Only the lower triangle is read.
 *
 * Returns `{ values, vectors }`: r values, largest first, and an n × r matrix whose columns are their eigenvectors,
 * the element of largest magnitude positive; r = n, or `rank` for the largest ones alone.
 * @throws WhittleError for NaN and infinite elements, a matrix that is not square, a rank outside 1 … n
 */
export function eigh(a: Matrix, options: { rank?: number } = {}): Eigh {
  assertSquare(a);
  const n = a.rows;
  const { rank = n } = options;
  assertRank(rank, n);
  return withKernels(eighBytes(n, rank), `eigh of ${n} × ${n}`, kernels => {
    const p = write(kernels, a);
    const exponent = normalize(kernels, n * n, p);
    const values = kernels.take(n);
    const rows = kernels.take(n * n);
    assertConverged(kernels.syevd(n, p, values, rows, rank, 0), n);
    kernels.signRows(rank, n, rows);
    const columns = kernels.take(n * rank);
    kernels.transpose(rank, n, rows, n, columns, rank);
    return {
      values: readValues(kernels, values, rank, exponent),
      vectors: dense(read(kernels, columns, n * rank), n, rank),
    };
  });
}

/**
 * Eigenvalues of a symmetric matrix alone, largest first. Only the lower triangle is read.
 * @throws WhittleError as `eigh`
 */
export function eigenvalues(a: Matrix): Float64Array<ArrayBuffer> {
  assertSquare(a);
  const n = a.rows;
  return withKernels(eighBytes(n), `eigenvalues of ${n} × ${n}`, kernels => {
    const p = write(kernels, a);
    const exponent = normalize(kernels, n * n, p);
    const values = kernels.take(n);
    assertConverged(kernels.syev(n, p, values), n);
    return readValues(kernels, values, n, exponent);
  });
}

function readValues(kernels: Kernels, p: number, count: number, exponent: number): Float64Array<ArrayBuffer> {
  const values = read(kernels, p, count);
  scaleBack(values, exponent);
  return values;
}

function assertConverged(result: number, n: number): void {
  if (result) return;
  throw new WhittleError(`eigenvalues of ${n} × ${n}: the QL iteration did not converge`, {
    hint: 'This should not happen for finite input; please report the matrix',
  });
}
