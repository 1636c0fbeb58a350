/** dsyevd: eigenpairs of a symmetric matrix: `sytrd`, then `stedc`, then `ormtr`. */
import { at, copy, get, getInt, set } from './elements';
import { ormtr } from './ormtr';
import { stedc } from './stedc';
import { steqr } from './steqr';
import { sytrd } from './sytrd';
import { mark, release, take } from './workspace';

/**
 * @param A n × n with its lower triangle filled, elements near 1 (the caller scales); destroyed
 * @param values n: all eigenvalues, largest first
 * @param vectors rows become the unit eigenvectors of values[0], values[1], …
 * @param count number of vectors
 * @param share if positive: all n vectors come after all where values[count − 1] is below this share of values[0]
 * @returns number of vectors, 0 where an eigenvalue did not converge
 */
export function syevd(n: i32, A: usize, values: usize, vectors: usize, count: i32, share: f64): i32 {
  const start = mark();
  const d = take(n);
  const e = take(n);
  const taus = take(n);
  sytrd(n, A, n, d, e, taus);
  const order = take(n);
  const Q = take(n * n);
  const converged = stedc(n, d, e, Q, order, count, share);
  const least = share > 0 ? share * get(d, getInt(order, n - 1)) : -Infinity;
  const rows = get(d, getInt(order, n - count)) >= least ? count : n;
  for (let i = 0; i < n; i++) set(values, i, get(d, getInt(order, n - 1 - i)));
  for (let i = 0; i < rows; i++) copy(n, at(Q, getInt(order, n - 1 - i) * n), at(vectors, i * n));
  ormtr(n, A, n, taus, vectors, rows, n);
  release(start);
  return converged ? rows : 0;
}

/** dsyev with jobz = 'N': eigenvalues alone, largest first, without any vectors. */
export function syev(n: i32, A: usize, values: usize): bool {
  const start = mark();
  const e = take(n);
  const taus = take(n);
  sytrd(n, A, n, values, e, taus);
  const converged = steqr(n, values, e, 0, 0, 0);
  sortDescending(n, values);
  release(start);
  return converged;
}

/** Heap sort (Williams 1964): no scratch, no bad case. */
export function sortDescending(n: i32, values: usize): void {
  for (let i = (n >> 1) - 1; i >= 0; i--) siftDown(i, n, values);
  for (let end = n - 1; end > 0; end--) {
    const smallest = get(values, 0);
    set(values, 0, get(values, end));
    set(values, end, smallest);
    siftDown(0, end, values);
  }
}

/** Keeps the smallest element at the root. */
function siftDown(root: i32, n: i32, values: usize): void {
  const value = get(values, root);
  for (let child = 2 * root + 1; child < n; child = 2 * root + 1) {
    if (child + 1 < n && get(values, child + 1) < get(values, child)) child++;
    if (get(values, child) >= value) break;
    set(values, root, get(values, child));
    root = child;
  }
  set(values, root, value);
}
