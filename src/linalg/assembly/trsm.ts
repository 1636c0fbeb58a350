/** dtrsm: T X = B for a triangular T, in blocks of rows; all but the diagonal blocks is matrix products. */
import { axpy, scale } from './blas1';
import { at, get } from './elements';
import { gemm } from './gemm';

const BLOCK: i32 = 64;

/**
 * @param T n × n, element (i, j) at i · rowStep + j · colStep; exchange the steps for the transpose
 * @param lower whether T, read with these steps, is lower triangular; its other triangle is never read
 * @param B n × columns, row-major; becomes X
 */
export function trsm(
  n: i32, columns: i32, T: usize, rowStep: i32, colStep: i32, lower: bool, B: usize, ldb: i32,
): void {
  if (lower) {
    for (let first = 0; first < n; first += BLOCK) {
      const end = min(first + BLOCK, n);
      const left = at(T, first * rowStep);
      const rows = at(B, first * ldb);
      gemm(end - first, columns, first, -1, left, rowStep, colStep, B, ldb, 1, true, rows, ldb);
      for (let i = first; i < end; i++) {
        for (let j = first; j < i; j++) eliminate(i, j, columns, T, rowStep, colStep, B, ldb);
        scale(columns, 1 / get(T, i * (rowStep + colStep)), at(B, i * ldb));
      }
    }
    return;
  }
  for (let end = n; end > 0; end -= min(BLOCK, end)) {
    const first = max(0, end - BLOCK);
    const right = at(T, first * rowStep + end * colStep);
    const rows = at(B, first * ldb);
    gemm(end - first, columns, n - end, -1, right, rowStep, colStep, at(B, end * ldb), ldb, 1, true, rows, ldb);
    for (let i = end - 1; i >= first; i--) {
      for (let j = i + 1; j < end; j++) eliminate(i, j, columns, T, rowStep, colStep, B, ldb);
      scale(columns, 1 / get(T, i * (rowStep + colStep)), at(B, i * ldb));
    }
  }
}

/** Row i of B −= T(i, j) · row j. */
function eliminate(
  i: i32, j: i32, columns: i32, T: usize, rowStep: i32, colStep: i32, B: usize, ldb: i32,
): void {
  axpy(columns, -get(T, i * rowStep + j * colStep), at(B, j * ldb), at(B, i * ldb));
}
