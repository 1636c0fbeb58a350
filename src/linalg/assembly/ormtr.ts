/**
 * dormtr / dlarft / dlarfb: many vectors times the orthogonal factor of a tridiagonal reduction, sixty-four reflectors
 * at a time in the compact WY form I − Yᵀ T Y (Schreiber & Van Loan, "A storage-efficient WY representation", 1989).
 */
import { at, clear, get, set } from './elements';
import { gemm, syrk } from './gemm';
import { mark, release, take } from './workspace';

export const BLOCK: i32 = 64;

/**
 * dlarft: T (upper triangular, count × count, leading dimension BLOCK) with H_1 H_2 … = I − Yᵀ T Y.
 * @param Y count rows of reflectors, zero outside their support
 */
export function triangularFactor(count: i32, length: i32, Y: usize, ldy: i32, taus: usize, T: usize): void {
  const start = mark();
  const products = take(BLOCK * BLOCK);
  syrk(count, length, 1, Y, ldy, 1, false, products, BLOCK);
  for (let j = 0; j < count; j++) {
    const tau = get(taus, j);
    for (let i = 0; i < count; i++) {
      let value: f64 = i == j ? tau : 0;
      if (i < j) {
        for (let p = i; p < j; p++) value -= tau * get(T, i * BLOCK + p) * get(products, j * BLOCK + p);
      }
      set(T, i * BLOCK + j, value);
    }
  }
  release(start);
}

/**
 * X ← X Qᵀ, that is every row x becomes Q x, for the Q of `sytrd`.
 * @param A n × n as `sytrd` left it; its elements on and above the diagonal are cleared
 */
export function ormtr(n: i32, A: usize, lda: i32, taus: usize, X: usize, rows: i32, ldx: i32): void {
  const start = mark();
  const T = take(BLOCK * BLOCK);
  const TY = take(BLOCK * n);
  const XY = take(rows * BLOCK);
  for (let first = 1; first < n; first += BLOCK) {
    const end = min(first + BLOCK, n);
    const count = end - first;
    const Y = at(A, first * lda);
    for (let r = first; r < end; r++) clear(end - r, at(A, r * lda + r));
    triangularFactor(count, end, Y, lda, at(taus, first), T);
    gemm(count, end, count, 1, T, BLOCK, 1, Y, lda, 1, false, TY, n);
    gemm(rows, count, end, 1, X, ldx, 1, Y, 1, lda, false, XY, BLOCK);
    gemm(rows, end, count, -1, XY, BLOCK, 1, TY, n, 1, true, X, ldx);
  }
  release(start);
}
