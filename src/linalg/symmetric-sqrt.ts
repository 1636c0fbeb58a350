import { WhittleError } from '../graph/errors.js';
import { eigh } from './eigh.js';
import { matmul } from './matmul.js';
import { type DenseMatrix, dense, type Matrix } from './matrix.js';

export interface SymmetricSqrtOptions {
  /** Share of the largest eigenvalue below which others count as zero; n · 2.2e-16 unless given. */
  tolerance?: number;
}

/**
 * The symmetric square root B of a symmetric positive semidefinite matrix: B B = A. Only the lower triangle is read.
 * @throws WhittleError where an eigenvalue is negative by more than rounding; otherwise as `eigh`
 */
export function symmetricSqrt(a: Matrix, options: SymmetricSqrtOptions = {}): DenseMatrix {
  return spectralFunction(a, options, Math.sqrt);
}

/**
 * The inverse of the symmetric square root. Directions in which A is zero stay zero (the pseudo-inverse).
 * @throws WhittleError as `symmetricSqrt`
 */
export function symmetricInverseSqrt(a: Matrix, options: SymmetricSqrtOptions = {}): DenseMatrix {
  return spectralFunction(a, options, value => 1 / Math.sqrt(value));
}

/** V f(Λ) Vᵀ, with f = 0 where the eigenvalue counts as zero. */
function spectralFunction(
  a: Matrix,
  options: SymmetricSqrtOptions,
  f: (eigenvalue: number) => number,
): DenseMatrix {
  const { values, vectors } = eigh(a);
  const n = values.length;
  const least = (options.tolerance ?? n * Number.EPSILON) * Math.max(0, values[0]!);
  const smallest = values[n - 1]!;
  // Rounding in forming A alone can push a zero eigenvalue this far below zero.
  if (smallest < -Math.max(least, 1e-6 * values[0]!)) {
    throw new WhittleError(`symmetric square root: the matrix has the negative eigenvalue ${smallest}`, {
      hint: 'Only positive semidefinite matrices have a real symmetric square root',
    });
  }
  const scaled = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    const factor = values[j]! > least ? f(values[j]!) : 0;
    for (let i = 0; i < n; i++) scaled[i * n + j] = vectors.data[i * n + j]! * factor;
  }
  const product = matmul(dense(scaled, n, n), vectors, { transposeB: true });
  // Symmetric to the bit: the product is so only up to rounding.
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) product.data[j * n + i] = product.data[i * n + j]!;
  }
  return product;
}
