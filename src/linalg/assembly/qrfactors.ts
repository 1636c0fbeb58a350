/** Thin QR with R's diagonal made non-negative, which makes the factors of a full-rank matrix unique. */
import { scale } from './blas1';
import { at, clear, copy, get, set } from './elements';
import { geqp3 } from './geqp3';
import { geqrf, orgqr } from './geqrf';
import { transpose } from './transpose';
import { mark, release, take } from './workspace';

/**
 * @param A m × n row-major
 * @param Q m × k and @param R k × n, row-major, k = min(m, n)
 * @param pivots int32, n; 0 for no pivoting
 */
export function qr(m: i32, n: i32, A: usize, Q: usize, R: usize, pivots: usize): void {
  const start = mark();
  const k = min(m, n);
  const columns = take(n * m);
  const diagonal = take(k);
  const taus = take(k);
  transpose(m, n, A, n, columns, m);
  if (pivots != 0) geqp3(m, n, columns, m, diagonal, taus, pivots);
  else geqrf(m, n, columns, m, diagonal, taus);
  const rows = take(k * m);
  orgqr(m, 0, k, k, columns, m, taus, rows);

  // R by its columns: what lies above the diagonal, and the diagonal itself.
  const byColumns = take(n * k);
  clear(n * k, byColumns);
  for (let j = 0; j < n; j++) {
    copy(min(j, k), at(columns, j * m), at(byColumns, j * k));
    if (j < k) set(byColumns, j * k + j, get(diagonal, j));
  }
  transpose(n, k, byColumns, k, R, n);
  for (let i = 0; i < k; i++) {
    if (get(diagonal, i) >= 0) continue;
    scale(n, -1, at(R, i * n));
    scale(m, -1, at(rows, i * m));
  }
  transpose(k, m, rows, m, Q, k);
  release(start);
}
