/**
 * The arrays that one divide-and-conquer run works on. Eigenvectors are rows of Q (n × n, leading dimension n): row r
 * belongs to eigenvalue d[r], and a subproblem [start, start + size) owns rows and columns of that range.
 */
import { take } from './workspace';

/** Order of the whole matrix. */
export let n: i32 = 0;
/** Diagonal, then eigenvalues; elements beside the diagonal; eigenvectors. */
export let d: usize = 0;
export let e: usize = 0;
export let Q: usize = 0;
/** int32: rows of each subproblem in ascending order of their eigenvalues. */
export let order: usize = 0;

/** Coupling vector z of a merge, by row of Q. */
export let z: usize = 0;
/** Poles and coupling of the rows that a merge keeps, ascending. */
export let poles: usize = 0;
export let weights: usize = 0;
/** Roots of the secular equation and Löwner's corrected weights. */
export let roots: usize = 0;
export let corrected: usize = 0;
/** Two vectors of scratch. */
export let scratch: usize = 0;
export let scratch2: usize = 0;
/** int32: which halves a row touches; rows in ascending order; kept and deflated rows; kept rows by type. */
export let type: usize = 0;
export let sorted: usize = 0;
export let kept: usize = 0;
export let deflated: usize = 0;
export let byType: usize = 0;
/** n × n each: gathered old eigenvectors; eigenvectors of the secular problem. */
export let gathered: usize = 0;
export let secular: usize = 0;

export function begin(size: i32, diagonal: usize, beside: usize, vectors: usize): void {
  n = size;
  d = diagonal;
  e = beside;
  Q = vectors;
  order = take(size);
  z = take(size);
  poles = take(size);
  weights = take(size);
  roots = take(size);
  corrected = take(size);
  scratch = take(size + 8);
  scratch2 = take(size + 8);
  type = take(size);
  sorted = take(size);
  kept = take(size);
  deflated = take(size);
  byType = take(size);
  gathered = take(size * size);
  secular = take(size * size);
}
