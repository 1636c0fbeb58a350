/** The sign convention of singular vectors and eigenvectors: the element of largest magnitude is positive. */
import { scale } from './blas1';
import { at, get } from './elements';

/** Whether the first element of the largest magnitude is below zero. */
export function largestIsNegative(n: i32, x: usize): bool {
  let largest: f64 = 0;
  let negative = false;
  for (let i = 0; i < n; i++) {
    const value = get(x, i);
    if (Math.abs(value) > largest) {
      largest = Math.abs(value);
      negative = value < 0;
    }
  }
  return negative;
}

/** Applies the convention to every row of X (rows × n). */
export function signRows(rows: i32, n: i32, X: usize): void {
  for (let i = 0; i < rows; i++) {
    const x = at(X, i * n);
    if (largestIsNegative(n, x)) scale(n, -1, x);
  }
}
