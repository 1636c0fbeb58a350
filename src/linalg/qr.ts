import { qrBytes } from './forecast.js';
import { assertMatrix, type DenseMatrix, dense, type Matrix } from './matrix.js';
import { normalize, read, scaleBack, withKernels, write } from './workspace.js';

/** A = q · r, with k = min(m, n). */
export interface Qr {
  /** m × k, orthonormal columns. */
  readonly q: DenseMatrix;
  /** k × n, upper triangular (trapezoidal where m < n), its diagonal not negative. */
  readonly r: DenseMatrix;
}

/** A with its columns permuted = q · r: column j of the product is column `permutation[j]` of A. */
export interface PivotedQr extends Qr {
  /** n column indices. The diagonal of r never increases, so its small end shows a missing rank. */
  readonly permutation: Int32Array<ArrayBuffer>;
}

/**
 * Thin QR factorization of an m × n matrix by Householder reflectors, in float64.
 *
 * Returns `{ q, r }`: q is m × k, r is k × n, k = min(m, n).
 * @throws WhittleError for NaN and infinite elements
 */
export function qr(a: Matrix): Qr {
  return factor(a, false);
}

/**
 * QR factorization with column pivoting (Businger & Golub 1965), which reveals the rank.
 *
 * Returns `{ q, r, permutation }`: q is m × k, r is k × n, k = min(m, n).
 * @throws WhittleError for NaN and infinite elements
 */
export function qrPivoted(a: Matrix): PivotedQr {
  return factor(a, true);
}

function factor(a: Matrix, pivoting: boolean): PivotedQr {
  assertMatrix(a);
  const { rows: m, cols: n } = a;
  const k = Math.min(m, n);
  return withKernels(qrBytes(m, n), `qr of ${m} × ${n}`, kernels => {
    const p = write(kernels, a);
    const exponent = normalize(kernels, m * n, p);
    const q = kernels.take(m * k);
    const r = kernels.take(k * n);
    const pivots = pivoting ? kernels.take(n) : 0;
    kernels.qr(m, n, p, q, r, pivots);
    const upper = read(kernels, r, k * n);
    scaleBack(upper, exponent);
    return {
      q: dense(read(kernels, q, m * k), m, k),
      r: dense(upper, k, n),
      permutation: new Int32Array(kernels.memory.buffer, pivots, n).slice(),
    };
  });
}
