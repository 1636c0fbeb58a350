import { type Matrix, matmul, matrix, qr, singularValues, transpose } from '../../linalg/index.js';
import { type Factors, multiply } from './factors.js';

/**
 * Singular values of a product of factors, largest first. Where the rank is small they come from the triangular
 * factors of U and V, so that the product is not formed.
 */
export function productSpectrum(factors: Factors): Float64Array {
  const { u, m, vt } = factors;
  if (u.cols > u.rows || vt.rows > vt.cols) return singularValues(multiply(factors));
  const left = qr(u).r;
  const right = qr(transpose(vt)).r;
  return singularValues(matmul(m ? matmul(left, m) : left, right, { transposeB: true }));
}

/** ‖A‖²_F */
export const squaredNorm = ({ data }: Matrix): number => {
  let sum = 0;
  for (const value of data) sum += value * value;
  return sum;
};

/** The matrix diag(1). */
export function identity(size: number): Matrix<Float64Array<ArrayBuffer>> {
  const data = new Float64Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return matrix(data, size, size);
}
