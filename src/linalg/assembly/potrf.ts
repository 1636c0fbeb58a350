/** dpotrf: A = L Lᵀ of a symmetric positive definite matrix, row-major, lower triangle, in blocks of rows. */
import { dot } from './blas1';
import { at, get, set } from './elements';
import { syrk } from './gemm';

const BLOCK: i32 = 64;

/**
 * @param A n × n; its lower triangle becomes L, the rest is left as it is
 * @returns 0, or 1 + the first row whose pivot is not positive
 */
export function potrf(n: i32, A: usize, lda: i32): i32 {
  for (let first = 0; first < n; first += BLOCK) {
    const end = min(first + BLOCK, n);
    const failed = diagonalBlock(first, end, A, lda);
    if (failed > 0) return failed;
    for (let i = end; i < n; i++) solveRow(first, end, at(A, i * lda), A, lda);
    const rest = n - end;
    const below = at(A, end * lda + first);
    syrk(rest, end - first, -1, below, lda, 1, true, at(A, end * lda + end), lda);
  }
  return 0;
}

/** dpotf2 on rows and columns [first, end). */
function diagonalBlock(first: i32, end: i32, A: usize, lda: i32): i32 {
  for (let i = first; i < end; i++) {
    const row = at(A, i * lda);
    solveRow(first, i, row, A, lda);
    const known = at(row, first);
    const pivot = get(row, i) - dot(i - first, known, known);
    if (!(pivot > 0)) return i + 1;
    set(row, i, Math.sqrt(pivot));
  }
  return 0;
}

/** Forward substitution in columns [first, end) of one row: x Lᵀ = a. */
function solveRow(first: i32, end: i32, row: usize, A: usize, lda: i32): void {
  for (let j = first; j < end; j++) {
    const l = at(A, j * lda);
    const sum = dot(j - first, at(row, first), at(l, first));
    set(row, j, (get(row, j) - sum) / get(l, j));
  }
}
