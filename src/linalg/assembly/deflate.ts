/**
 * dlaed2: before two solved halves are joined, eigenpairs that the coupling does not move are set aside: where the
 * coupling is negligible, and where two eigenvalues are so close that a rotation makes it so (Cuppen 1981; Dongarra &
 * Sorensen, "A fully parallel algorithm for the symmetric eigenvalue problem", 1987).
 */
import { rotate } from './blas1';
import { byType, d, deflated, kept, n, order, poles, Q, sorted, type, weights, z } from './cuppen';
import { at, atInt, EPSILON, get, getInt, set, setInt } from './elements';

/** Types of rows: not zero in the columns of the first half only, in both, of the second half only. */
export const FIRST: i32 = 1;
export const BOTH: i32 = 2;
export const SECOND: i32 = 3;

/** Rows kept by the latest call; of these, rows of type FIRST, and of types FIRST or BOTH. */
export let keptCount: i32 = 0;
export let firstCount: i32 = 0;
export let firstOrBothCount: i32 = 0;

/**
 * Joins rows [start, start + size1) and [start + size1, start + size) of Q, coupled by `coupling`.
 * Fills `kept` (ascending), `byType`, `deflated` (ascending), `poles` and `weights`, all from index `start`.
 */
export function deflate(start: i32, size1: i32, size: i32, coupling: f64): void {
  const middle = start + size1;
  const sign = coupling < 0 ? -Math.SQRT1_2 : Math.SQRT1_2;
  let largestD: f64 = 0;
  let largestZ: f64 = 0;
  for (let row = start; row < start + size; row++) {
    const first = row < middle;
    const value = first
      ? Math.SQRT1_2 * get(Q, row * n + middle - 1)
      : sign * get(Q, row * n + middle);
    set(z, row, value);
    setInt(type, row, first ? FIRST : SECOND);
    largestD = max(largestD, Math.abs(get(d, row)));
    largestZ = max(largestZ, Math.abs(value));
  }
  mergeSorted(start, size1, size);
  const tolerance = 8 * EPSILON * max(largestD, largestZ);
  keptCount = split(start, size, 2 * Math.abs(coupling), tolerance);
  groupByType(start);
  for (let i = 0; i < keptCount; i++) {
    const row = getInt(kept, start + i);
    set(poles, start + i, get(d, row));
    set(weights, start + i, get(z, row));
  }
  sortDeflated(start, size - keptCount);
}

/** `sorted` becomes the rows of both halves in ascending order, from the order of each half. */
function mergeSorted(start: i32, size1: i32, size: i32): void {
  let a = start;
  let b = start + size1;
  for (let i = start; i < start + size; i++) {
    const takeFirst =
      b == start + size || (a < start + size1 && get(d, getInt(order, a)) <= get(d, getInt(order, b)));
    setInt(sorted, i, takeFirst ? getInt(order, a++) : getInt(order, b++));
  }
}

/** Distributes the rows over `kept` and `deflated`; returns how many are kept. */
function split(start: i32, size: i32, rho: f64, tolerance: f64): i32 {
  let keep = start;
  let drop = start;
  let previous = -1;
  for (let i = start; i < start + size; i++) {
    const row = getInt(sorted, i);
    if (rho * Math.abs(get(z, row)) <= tolerance) {
      setInt(deflated, drop++, row);
      continue;
    }
    if (previous >= 0) {
      if (rotateTogether(start, size, previous, row, tolerance)) setInt(deflated, drop++, previous);
      else setInt(kept, keep++, previous);
    }
    previous = row;
  }
  if (previous >= 0) setInt(kept, keep++, previous);
  return keep - start;
}

/** Moves the coupling of row a over to row b where that disturbs T by no more than the tolerance. */
function rotateTogether(start: i32, size: i32, a: i32, b: i32, tolerance: f64): bool {
  const za = get(z, a);
  const zb = get(z, b);
  const length = Math.sqrt(za * za + zb * zb);
  const c = zb / length;
  const s = -za / length;
  const da = get(d, a);
  const db = get(d, b);
  if (Math.abs((db - da) * c * s) > tolerance) return false;
  set(z, a, 0);
  set(z, b, length);
  if (getInt(type, a) != getInt(type, b)) setInt(type, b, BOTH);
  rotate(size, at(Q, a * n + start), at(Q, b * n + start), c, s);
  set(d, a, da * c * c + db * s * s);
  set(d, b, da * s * s + db * c * c);
  return true;
}

/** `byType` becomes positions within `kept`, grouped by type, so that zero halves need no multiplication. */
function groupByType(start: i32): void {
  let count = 0;
  for (let wanted = FIRST; wanted <= SECOND; wanted++) {
    for (let i = 0; i < keptCount; i++) {
      if (getInt(type, getInt(kept, start + i)) == wanted) setInt(byType, start + count++, i);
    }
    if (wanted == FIRST) firstCount = count;
    if (wanted == BOTH) firstOrBothCount = count;
  }
}

/** Insertion sort: the rows are in order but for a few that rotations have moved. */
function sortDeflated(start: i32, count: i32): void {
  const list = atInt(deflated, start);
  for (let i = 1; i < count; i++) {
    const row = getInt(list, i);
    const value = get(d, row);
    let j = i - 1;
    for (; j >= 0 && get(d, getInt(list, j)) > value; j--) setInt(list, j + 1, getInt(list, j));
    setInt(list, j + 1, row);
  }
}
