import type { DenseMatrix } from './matrix.js';

/** Makes the element of largest magnitude in each column of u positive; v's columns change sign with u's. In place. */
export function signColumns(u: DenseMatrix, v: DenseMatrix): void {
  for (let j = 0; j < u.cols; j++) {
    let largest = 0;
    for (let i = 0; i < u.rows; i++) {
      const value = u.data[i * u.stride + j]!;
      if (Math.abs(value) > Math.abs(largest)) largest = value;
    }
    if (largest >= 0) continue;
    for (const a of [u, v]) for (let i = 0; i < a.rows; i++) a.data[i * a.stride + j]! *= -1;
  }
}
