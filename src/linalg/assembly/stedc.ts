/**
 * dstedc: all or the largest eigenpairs of a symmetric tridiagonal matrix by divide and conquer (Cuppen, "A divide
 * and conquer method for the symmetric tridiagonal eigenproblem", 1981; Gu & Eisenstat 1995).
 */
import * as run from './cuppen';
import { deflate, firstCount, firstOrBothCount, keptCount } from './deflate';
import { at, atInt, clear, copy, get, getInt, set, setInt } from './elements';
import { gemm } from './gemm';
import { correctWeights, eigenvectorRow } from './loewner';
import { secularRoot } from './secular';
import { steqr } from './steqr';
import { mark, release } from './workspace';

/** Below this order QL iteration is faster. */
const LEAF: i32 = 32;

/** Vectors that the latest `stedc` formed, those of the largest eigenvalues. */
export let formed: i32 = 0;

/**
 * @param d diagonal; becomes the eigenvalues in row order of Q
 * @param e n − 1 elements beside the diagonal
 * @param Q n × n; row r becomes the eigenvector of d[r], for the `formed` largest eigenvalues
 * @param order int32, n: receives the rows in ascending order of their eigenvalues
 * @param wanted number of vectors
 * @param share if positive: all n are formed after all where eigenvalue number `wanted` is below this share of the largest
 * @returns whether every eigenvalue converged
 */
export function stedc(n: i32, d: usize, e: usize, Q: usize, order: usize, wanted: i32, share: f64): bool {
  const start = mark();
  formed = n <= LEAF ? n : wanted;
  run.begin(n, d, e, Q);
  clear(n * n, Q);
  const converged = solve(0, n, share);
  memory.copy(order, run.order, <usize>n << 2);
  release(start);
  return converged;
}

function solve(start: i32, size: i32, share: f64): bool {
  if (size <= LEAF) return solveLeaf(start, size);
  const size1 = size >> 1;
  const middle = start + size1;
  const coupling = get(run.e, middle - 1);
  // T = two blocks + |coupling| u uᵀ, u = (…, 0, 1, ±1, 0, …): tear the rank-one part off.
  set(run.d, middle - 1, get(run.d, middle - 1) - Math.abs(coupling));
  set(run.d, middle, get(run.d, middle) - Math.abs(coupling));
  if (!solve(start, size1, share) || !solve(middle, size - size1, share)) return false;
  merge(start, size1, size, coupling, share);
  return true;
}

function solveLeaf(start: i32, size: i32): bool {
  for (let i = start; i < start + size; i++) set(run.Q, i * run.n + i, 1);
  if (!steqr(size, at(run.d, start), at(run.e, start), at(run.Q, start * run.n + start), run.n, size)) {
    return false;
  }
  const order = atInt(run.order, start);
  for (let i = 0; i < size; i++) {
    const value = get(run.d, start + i);
    let j = i - 1;
    for (; j >= 0 && get(run.d, getInt(order, j)) > value; j--) setInt(order, j + 1, getInt(order, j));
    setInt(order, j + 1, start + i);
  }
  return true;
}

/** dlaed1: the eigenpairs of two solved halves and their coupling. */
function merge(start: i32, size1: i32, size: i32, coupling: f64, share: f64): void {
  deflate(start, size1, size, coupling);
  const k = keptCount;
  const gone = size - k;
  const size2 = size - size1;
  const inFirst = firstOrBothCount;
  const inSecond = k - firstCount;
  const fromFirst = at(run.gathered, start * run.n);
  const fromSecond = at(fromFirst, inFirst * size1);
  const unchanged = at(fromSecond, inSecond * size2);
  gather(start, size1, size, fromFirst, fromSecond, unchanged);

  const poles = at(run.poles, start);
  const weights = at(run.weights, start);
  const roots = at(run.roots, start);
  const vectors = at(run.secular, start * run.n);
  const rho = 2 * Math.abs(coupling);
  for (let j = 0; j < k; j++) {
    set(roots, j, secularRoot(j, k, poles, weights, rho, run.scratch, at(vectors, j * k)));
  }
  correctWeights(k, poles, weights, vectors, run.corrected);
  writeOrder(start, size, gone);

  const first = size == run.n ? firstWanted(k, share) : 0;
  for (let j = first; j < k; j++) {
    eigenvectorRow(k, run.corrected, at(vectors, j * k), atInt(run.byType, start), run.scratch);
  }
  const rows = k - first;
  const from = at(vectors, first * k);
  const to = at(run.Q, (start + first) * run.n + start);
  gemm(rows, size1, inFirst, 1, from, k, 1, fromFirst, size1, 1, false, to, run.n);
  gemm(rows, size2, inSecond, 1, at(from, firstCount), k, 1, fromSecond, size2, 1, false, at(to, size1), run.n);
  for (let i = 0; i < gone; i++) copy(size, at(unchanged, i * size), at(run.Q, (start + k + i) * run.n + start));
}

/** Copies the kept rows' non-zero halves, and the deflated rows whole, out of the way of the product. */
function gather(start: i32, size1: i32, size: i32, first: usize, second: usize, unchanged: usize): void {
  const size2 = size - size1;
  for (let p = 0; p < keptCount; p++) {
    const row = at(run.Q, getInt(run.kept, start + getInt(run.byType, start + p)) * run.n + start);
    if (p < firstOrBothCount) copy(size1, row, at(first, p * size1));
    if (p >= firstCount) copy(size2, at(row, size1), at(second, (p - firstCount) * size2));
  }
  for (let i = 0; i < size - keptCount; i++) {
    copy(size, at(run.Q, getInt(run.deflated, start + i) * run.n + start), at(unchanged, i * size));
  }
}

/** Eigenvalues in their new rows, roots first and deflated ones after, and the ascending order of both. */
function writeOrder(start: i32, size: i32, gone: i32): void {
  const k = size - gone;
  for (let i = 0; i < gone; i++) set(run.scratch2, i, get(run.d, getInt(run.deflated, start + i)));
  copy(k, at(run.roots, start), at(run.d, start));
  copy(gone, run.scratch2, at(run.d, start + k));
  let a = start;
  let b = start + k;
  for (let i = start; i < start + size; i++) {
    const takeRoot = b == start + size || (a < start + k && get(run.d, a) <= get(run.d, b));
    setInt(run.order, i, takeRoot ? a++ : b++);
  }
}

/** The last merge needs vectors for the largest eigenvalues only: the first of the k roots that has one. */
function firstWanted(k: i32, share: f64): i32 {
  const n = run.n;
  const least = get(run.d, getInt(run.order, n - formed));
  if (share > 0 && least < share * get(run.d, getInt(run.order, n - 1))) formed = n;
  let first = k;
  for (let i = n - formed; i < n; i++) first = min(first, getInt(run.order, i));
  return first;
}
