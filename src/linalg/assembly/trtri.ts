/** dtrtri: the inverse of an upper triangular matrix, in blocks of rows; all but the diagonal blocks is products. */
import { axpy, scale } from './blas1';
import { at, clear, get, set } from './elements';
import { gemm } from './gemm';

const BLOCK: i32 = 64;

/** Columns of X at once: below its diagonal are zeros, with which the product need not go on. */
const COLUMNS: i32 = 256;

/**
 * @param T n × n, row-major; only its upper triangle is read
 * @param X becomes T⁻¹, n × n, with zeros below the diagonal
 */
export function trtri(n: i32, T: usize, X: usize): void {
  clear(n * n, X);
  for (let end = n; end > 0; end -= min(BLOCK, end)) {
    const first = max(0, end - BLOCK);
    const right = at(T, first * n + end);
    // Row i of X has nothing before column i, so the product runs over the columns after the block alone.
    for (let j = end; j < n; j += COLUMNS) {
      const last = min(j + COLUMNS, n);
      const below = at(X, end * n + j);
      gemm(end - first, last - j, last - end, -1, right, n, 1, below, n, 1, true, at(X, first * n + j), n);
    }
    for (let i = end - 1; i >= first; i--) {
      set(X, i * n + i, 1);
      for (let j = i + 1; j < end; j++) {
        axpy(n - j, -get(T, i * n + j), at(X, j * n + j), at(X, i * n + j));
      }
      scale(n - i, 1 / get(T, i * n + i), at(X, i * n + i));
    }
  }
}
