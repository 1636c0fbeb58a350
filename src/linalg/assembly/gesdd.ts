/** What dgesdd answers, from `gramSvd`: sorted, signed, and with the vectors as columns. */
import { scale } from './blas1';
import { at, copy, get, getInt, set, setInt } from './elements';
import { orthonormalComplement } from './geqrf';
import { gramSvd, repair } from './gramsvd';
import { largestIsNegative } from './signs';
import { transpose } from './transpose';
import { mark, release, take } from './workspace';

/**
 * @param A m × n with m ≥ n, largest element in [0.5, 1); destroyed
 * @param sigma n: singular values, largest first, the first `count` valid
 * @param U m × uColumns (count, or up to m for a full basis)
 * @param V n × count
 * @param signByV whether the largest element of each column of V, instead of U, is made positive
 * @returns whether the eigenvalue iterations converged
 */
export function gesdd(
  m: i32, n: i32, A: usize, count: i32, sigma: usize, U: usize, uColumns: i32, V: usize, signByV: bool,
): bool {
  const start = mark();
  const found = take(n);
  const UT = take(max(n, uColumns) * m);
  const VT = take(n * n);
  const rows = gramSvd(m, n, A, found, UT, VT, count);
  if (rows > 0) arrange(m, n, rows, count, found, UT, VT, sigma, U, uColumns, V, signByV);
  release(start);
  return rows > 0;
}

/** The last stage of `gesdd` for rows of UT = V Aᵀ and VT that were computed elsewhere. Arguments as there. */
export function finishSvd(
  m: i32, n: i32, rows: i32, count: i32, UT: usize, VT: usize, sigma: usize, U: usize, V: usize, signByV: bool,
): bool {
  const start = mark();
  const found = take(n);
  const converged = repair(m, n, rows, UT, VT, found) > 0;
  if (converged) arrange(m, n, rows, count, found, UT, VT, sigma, U, count, V, signByV);
  release(start);
  return converged;
}

/** Sorts the triplets, completes the basis, applies the sign convention, and turns rows into columns. */
function arrange(
  m: i32, n: i32, rows: i32, count: i32, found: usize, UT: usize, VT: usize,
  sigma: usize, U: usize, uColumns: i32, V: usize, signByV: bool,
): void {
  const start = mark();
  const order = take(n);
  sortRows(rows, found, order);
  for (let i = 0; i < count; i++) set(sigma, i, get(found, getInt(order, i)));
  if (uColumns > count) orthonormalComplement(m, n, UT, uColumns - n, at(UT, n * m));
  const sorted = take(uColumns * m);
  const sortedV = take(count * n);
  for (let i = 0; i < count; i++) {
    const row = getInt(order, i);
    const u = at(sorted, i * m);
    const v = at(sortedV, i * n);
    copy(m, at(UT, row * m), u);
    copy(n, at(VT, row * n), v);
    const negative = signByV ? largestIsNegative(n, v) : largestIsNegative(m, u);
    if (negative) {
      scale(m, -1, u);
      scale(n, -1, v);
    }
  }
  copy((uColumns - count) * m, at(UT, count * m), at(sorted, count * m));
  transpose(uColumns, m, sorted, m, U, uColumns);
  transpose(count, n, sortedV, n, V, count);
  release(start);
}

/** Rows in descending order of nearly sorted values (insertion sort, stable). */
function sortRows(n: i32, values: usize, order: usize): void {
  for (let i = 0; i < n; i++) {
    const value = get(values, i);
    let j = i - 1;
    for (; j >= 0 && get(values, getInt(order, j)) < value; j--) setInt(order, j + 1, getInt(order, j));
    setInt(order, j + 1, i);
  }
}
