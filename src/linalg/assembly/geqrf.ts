/**
 * dgeqrf / dorgqr: Householder QR in the compact WY form (Schreiber & Van Loan 1989). Matrices are stored by columns:
 * row j of the array is column j of the matrix, so that reflectors lie in one piece.
 */
import { axpy, dot } from './blas1';
import { at, clear, copy, get, set } from './elements';
import { gemm } from './gemm';
import { beta, reflector, tau } from './householder';
import { BLOCK, triangularFactor } from './ormtr';
import { mark, release, take } from './workspace';

/**
 * @param A n columns of length m; column j becomes R(0 … j−1, j) followed by the reflector v_j (from position j on,
 *   its first element 1); columns past m hold nothing but R
 * @param diagonal min(m, n): the diagonal of R, of either sign
 * @param taus min(m, n)
 */
export function geqrf(m: i32, n: i32, A: usize, lda: i32, diagonal: usize, taus: usize): void {
  const start = mark();
  const block = take(3 * BLOCK * m + BLOCK * BLOCK);
  const XY = take(n * BLOCK);
  const steps = min(m, n);
  for (let first = 0; first < steps; first += BLOCK) {
    const count = min(BLOCK, steps - first);
    factorPanel(first, count, m, A, lda, diagonal, taus);
    const rest = n - first - count;
    if (rest == 0) continue;
    // Qᵀ from the left: x ← x (I − Yᵀ T Y) for every remaining column x, as a row.
    const length = m - first;
    const T = block;
    const Y = at(block, BLOCK * BLOCK);
    const TY = at(Y, BLOCK * m);
    loadReflectors(first, count, m, A, lda, Y);
    triangularFactor(count, length, Y, length, at(taus, first), T);
    gemm(count, length, count, 1, T, BLOCK, 1, Y, length, 1, false, TY, length);
    const X = at(A, (first + count) * lda + first);
    gemm(rest, count, length, 1, X, lda, 1, Y, 1, length, false, XY, BLOCK);
    gemm(rest, length, count, -1, XY, BLOCK, 1, TY, length, 1, true, X, lda);
  }
  release(start);
}

/** dgeqr2 on columns [first, first + count). */
function factorPanel(
  first: i32, count: i32, m: i32, A: usize, lda: i32, diagonal: usize, taus: usize,
): void {
  for (let j = first; j < first + count; j++) {
    const v = at(A, j * lda + j);
    reflector(v, m - j - 1, at(v, 1));
    const t = tau;
    set(taus, j, t);
    set(diagonal, j, beta);
    for (let i = j + 1; i < first + count; i++) {
      const x = at(A, i * lda + j);
      axpy(m - j, -t * dot(m - j, v, x), v, x);
    }
  }
}

/** Reflectors first … first + count − 1 as rows of length m − first, with zeros before their first element. */
function loadReflectors(first: i32, count: i32, m: i32, A: usize, lda: i32, Y: usize): void {
  const length = m - first;
  for (let j = 0; j < count; j++) {
    clear(j, at(Y, j * length));
    copy(length - j, at(A, (first + j) * lda + first + j), at(Y, j * length + j));
  }
}

/**
 * Columns [skip, columns) of Q, for the `steps` reflectors that `geqrf` left in A.
 * @param Q (columns − skip) × m, row by row a column of Q
 */
export function orgqr(
  m: i32, skip: i32, columns: i32, steps: i32, A: usize, lda: i32, taus: usize, Q: usize,
): void {
  const rows = columns - skip;
  clear(rows * m, Q);
  for (let i = 0; i < rows; i++) set(Q, i * m + skip + i, 1);
  applyQ(m, steps, A, lda, taus, Q, rows);
}

/** dormqr: every row x of X (rows × m) becomes Q x. */
export function applyQ(m: i32, steps: i32, A: usize, lda: i32, taus: usize, X: usize, rows: i32): void {
  const start = mark();
  const T = take(BLOCK * BLOCK);
  const Y = take(BLOCK * m);
  const TY = take(BLOCK * m);
  const XY = take(rows * BLOCK);
  const lastBlock = ((steps - 1) / BLOCK) * BLOCK;
  for (let first = lastBlock; first >= 0; first -= BLOCK) {
    const count = min(BLOCK, steps - first);
    const length = m - first;
    loadReflectors(first, count, m, A, lda, Y);
    triangularFactor(count, length, Y, length, at(taus, first), T);
    // x ← (I − Yᵀ T Y) x, and as a row: x − (x Yᵀ) (Tᵀ Y).
    gemm(count, length, count, 1, T, 1, BLOCK, Y, length, 1, false, TY, length);
    const x = at(X, first);
    gemm(rows, count, length, 1, x, m, 1, Y, 1, length, false, XY, BLOCK);
    gemm(rows, length, count, -1, XY, BLOCK, 1, TY, length, 1, true, x, m);
  }
  release(start);
}

/**
 * An orthonormal basis of what `count` orthonormal rows of length m leave out.
 * @param rows count × m, kept
 * @param complement (wanted) × m: receives the first `wanted` vectors of it
 */
export function orthonormalComplement(m: i32, count: i32, rows: usize, wanted: i32, complement: usize): void {
  const start = mark();
  const A = take(count * m);
  const diagonal = take(count);
  const taus = take(count);
  copy(count * m, rows, A);
  geqrf(m, count, A, m, diagonal, taus);
  orgqr(m, count, count + wanted, count, A, m, taus, complement);
  release(start);
}
