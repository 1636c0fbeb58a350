/**
 * dsytrd / dlatrd: a symmetric matrix becomes tridiagonal, Qᵀ A Q = T, by Householder reflectors from the last row
 * upwards; the trailing update is delayed and applied for a whole panel as a matrix product (Dongarra, Sorensen &
 * Hammarling, "Block reduction of matrices to condensed forms", 1989).
 */
import { axpy, axpyTwo, dot, scale } from './blas1';
import { at, clear, copy, get, set } from './elements';
import { gemmLower } from './gemm';
import { beta, reflector, tau } from './householder';
import { symvLower } from './symv';
import { mark, release, take } from './workspace';

const WIDTH: i32 = 32;

/**
 * @param A n × n, lower triangle; on return row i holds v_i in columns [0, i), whose last element is 1
 * @param d n diagonal elements of T, @param e n − 1 elements beside it
 * @param taus n; Q = H_{n−1} … H_1 with H_i = I − taus[i] v_i v_iᵀ
 */
export function sytrd(n: i32, A: usize, lda: i32, d: usize, e: usize, taus: usize): void {
  const start = mark();
  const ld = (n + 7) & ~7;
  // Rows of `panel`: the w of this panel, then its v, then its w again, so that A −= V Wᵀ + W Vᵀ is one product.
  const panel = take(3 * WIDTH * ld);
  const row = take(ld);
  let last = n - 1;
  while (last > 0) {
    const width = min(WIDTH, last);
    const V = at(panel, width * ld);
    for (let j = 0; j < width; j++) {
      reduceRow(last - j, j, A, lda, V, panel, ld, row, d, e, taus);
    }
    copy(width * ld, panel, at(V, width * ld));
    const rest = last - width + 1;
    gemmLower(rest, rest, 2 * width, -1, panel, 1, ld, V, ld, 1, true, A, lda, 0);
    last -= width;
  }
  set(d, 0, get(A, 0));
  release(start);
}

/** Reflector r of the reduction, number j of its panel: rows of V and W hold the v and w found so far. */
function reduceRow(
  r: i32, j: i32, A: usize, lda: i32, V: usize, W: usize, ld: i32, row: usize, d: usize, e: usize, taus: usize,
): void {
  const stored = at(A, r * lda);
  copy(r + 1, stored, row);
  for (let p = 0; p < j; p++) {
    const v = at(V, p * ld);
    const w = at(W, p * ld);
    axpyTwo(r + 1, -get(v, r), w, -get(w, r), v, row);
  }
  set(d, r, get(row, r));
  reflector(at(row, r - 1), r - 1, row);
  const t = tau;
  set(e, r - 1, beta);
  set(taus, r, t);
  copy(r, row, stored);

  const v = at(V, j * ld);
  const w = at(W, j * ld);
  copy(r, row, v);
  clear(r, w);
  if (t == 0) return;
  symvLower(r, A, lda, v, w);
  for (let p = 0; p < j; p++) {
    const earlierV = at(V, p * ld);
    const earlierW = at(W, p * ld);
    axpyTwo(r, -dot(r, earlierW, v), earlierV, -dot(r, earlierV, v), earlierW, w);
  }
  scale(r, t, w);
  axpy(r, -0.5 * t * dot(r, w, v), v, w);
}
