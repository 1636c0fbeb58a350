/**
 * Singular value decomposition of a tall matrix by the eigenvectors of its Gram matrix, made backward stable by two
 * repairs. Let AᵀA = V Λ Vᵀ be the computed decomposition; its error is ε σ₁², so that the columns of A V are
 * orthogonal only up to ε σ₁² / (σ_i σ_j) after normalization.
 *
 * 1. Columns with σ ≥ σ₁ / 32 are accepted; the small loss of orthogonality between them (at most 1000 ε) is removed
 *    by one step of Gram–Schmidt in triangular form: with UᵀU = RᵀR, U ← U R⁻¹, R⁻¹ to first order. What is neglected
 *    in A then is at most 32 ε σ₁.
 * 2. Smaller columns are projected against the accepted ones until they stop shrinking (the criterion of Daniel, Gragg,
 *    Kaufman & Stewart 1976) and decomposed again on their own scale, until none is left. What shrinks below 10 ε σ₁ is
 *    rounding error: its singular value is 0, its left vector any unit vector orthogonal to the others.
 *
 * Compared with bidiagonalization (dgesdd) almost all work is matrix products, and a tall matrix is read twice.
 */
import { norm, scale, swap } from './blas1';
import { at, copy, EPSILON, get, set } from './elements';
import { gemm, gemmLower, syrk } from './gemm';
import { orthonormalComplement } from './geqrf';
import { syevd } from './syevd';
import { mark, release, take } from './workspace';

/** Share of the largest singular value down to which one Gram matrix is trusted. */
const TRUSTED: f64 = 0.03125;
/** Above this share vectors are orthogonal to a few ε without repair. */
const ORTHOGONAL: f64 = 0.25;
/** Share of the largest singular value below which columns of A V consist of rounding errors. */
const NEGLIGIBLE: f64 = 10 * EPSILON;

/**
 * The `count` largest singular triplets.
 * @param A m × n, m ≥ n, largest element in [0.5, 1) (or all zero)
 * @param sigma n: singular values, nearly in descending order
 * @param UT n × m and @param VT n × n: rows become left and right singular vectors
 * @returns number of triplets found: `count`, or all n where small ones are asked for; 0 without convergence
 */
export function gramSvd(m: i32, n: i32, A: usize, sigma: usize, UT: usize, VT: usize, count: i32): i32 {
  const start = mark();
  const G = take(n * n);
  syrk(n, m, 1, A, 1, n, false, G, n);
  const rows = gramVectors(n, G, VT, count);
  release(start);
  gemm(rows, m, n, 1, VT, n, 1, A, 1, n, false, UT, m);
  return repair(m, n, rows, UT, VT, sigma);
}

/** Eigenvectors of a Gram matrix G (lower triangle; destroyed), as many as `gramSvd` needs; returns how many. */
export function gramVectors(n: i32, G: usize, VT: usize, count: i32): i32 {
  const start = mark();
  const rows = syevd(n, G, take(n), VT, count, TRUSTED * TRUSTED);
  release(start);
  return rows;
}

/** Both repairs on UT = V Aᵀ (rows × m); returns `rows`, or 0 without convergence. */
export function repair(m: i32, n: i32, rows: i32, UT: usize, VT: usize, sigma: usize): i32 {
  let top = measure(0, rows, m, UT, sigma);
  const negligible = NEGLIGIBLE * top;

  let done = 0;
  while (done < rows) {
    if (top <= negligible) {
      for (let j = done; j < rows; j++) set(sigma, j, 0);
      orthonormalComplement(m, done, UT, rows - done, at(UT, done * m));
      break;
    }
    const end = moveAbove(TRUSTED * top, done, rows, m, n, UT, VT, sigma);
    for (let j = done; j < end; j++) scale(m, 1 / get(sigma, j), at(UT, j * m));
    orthogonalize(done, end, m, UT, sigma, top);
    if (end < rows) {
      project(end, rows, m, UT, sigma, negligible);
      if (!decomposeTail(end, rows, m, n, UT, VT, sigma, negligible)) return 0;
      top = largest(end, rows, sigma);
    }
    done = end;
  }
  return rows;
}

/** Lengths of the rows [from, to); returns the largest. */
function measure(from: i32, to: i32, m: i32, UT: usize, sigma: usize): f64 {
  for (let j = from; j < to; j++) set(sigma, j, norm(m, at(UT, j * m)));
  return largest(from, to, sigma);
}

function largest(from: i32, to: i32, sigma: usize): f64 {
  let value: f64 = 0;
  for (let j = from; j < to; j++) value = max(value, get(sigma, j));
  return value;
}

/** Brings the triplets of [from, to) with σ ≥ least to the front; at the level of rounding they may be out of order. */
function moveAbove(
  least: f64, from: i32, to: i32, m: i32, n: i32, UT: usize, VT: usize, sigma: usize,
): i32 {
  let end = from;
  for (let j = from; j < to; j++) {
    if (get(sigma, j) < least) continue;
    if (j > end) {
      swap(m, at(UT, j * m), at(UT, end * m));
      swap(n, at(VT, j * n), at(VT, end * n));
      swap(1, at(sigma, j), at(sigma, end));
    }
    end++;
  }
  return end;
}

/** Repair 1 on the unit rows [from, to): row j loses what earlier rows of the block have in it. */
function orthogonalize(from: i32, to: i32, m: i32, UT: usize, sigma: usize, top: f64): void {
  let first = from;
  while (first < to && get(sigma, first) >= ORTHOGONAL * top) first++;
  const count = to - first;
  if (count == 0) return;
  const start = mark();
  const width = to - from;
  const L = take(count * width);
  const before = first - from;
  gemmLower(count, width, m, 1, at(UT, first * m), m, 1, at(UT, from * m), 1, m, false, L, width, before);
  for (let i = 0; i < count; i++) {
    const row = at(L, i * width);
    set(row, before + i, 0.5 * (get(row, before + i) - 1));
    for (let j = before + i + 1; j < width; j++) set(row, j, 0);
  }
  // From the last rows up: a block reads only rows above it and a copy of itself.
  const BLOCK = 64;
  const own = take(min(BLOCK, count) * m);
  for (let end = count; end > 0; end -= min(BLOCK, end)) {
    const size = min(BLOCK, end);
    const at0 = end - size;
    const target = at(UT, (first + at0) * m);
    const coefficients = at(L, at0 * width);
    copy(size * m, target, own);
    gemm(size, m, size, -1, at(coefficients, before + at0), width, 1, own, m, 1, true, target, m);
    gemm(size, m, before + at0, -1, coefficients, width, 1, at(UT, from * m), m, 1, true, target, m);
  }
  release(start);
}

/** Repair 2, first half: rows [from, to) lose their components along the accepted rows [0, from). */
function project(from: i32, to: i32, m: i32, UT: usize, sigma: usize, negligible: f64): void {
  const start = mark();
  const rows = to - from;
  const coefficients = take(rows * from);
  const tail = at(UT, from * m);
  let before: f64 = Infinity;
  let after = largest(from, to, sigma);
  while (after < 0.5 * before && after > negligible) {
    gemm(rows, from, m, 1, tail, m, 1, UT, 1, m, false, coefficients, from);
    gemm(rows, m, from, -1, coefficients, from, 1, UT, m, 1, true, tail, m);
    before = after;
    after = measure(from, to, m, UT, sigma);
  }
  release(start);
}

/** Repair 2, second half: rows [from, to) of UT, B = UT, become P B with P Bᵀ-orthogonal, and V follows. */
function decomposeTail(
  from: i32, to: i32, m: i32, n: i32, UT: usize, VT: usize, sigma: usize, negligible: f64,
): bool {
  const rows = to - from;
  const tail = at(UT, from * m);
  const top = largest(from, to, sigma);
  if (top <= negligible) return true;
  const start = mark();
  scale(rows * m, 1 / top, tail);
  const G = take(rows * rows);
  const P = take(rows * rows);
  const values = take(rows);
  syrk(rows, m, 1, tail, m, 1, false, G, rows);
  const converged = syevd(rows, G, values, P, rows, 0) > 0;
  rotateRows(rows, m, P, tail, top);
  rotateRows(rows, n, P, at(VT, from * n), 1);
  measure(from, to, m, UT, sigma);
  release(start);
  return converged;
}

/** X (rows × length) ← factor P X */
function rotateRows(rows: i32, length: i32, P: usize, X: usize, factor: f64): void {
  const start = mark();
  const old = take(rows * length);
  copy(rows * length, X, old);
  gemm(rows, length, rows, factor, P, rows, 1, old, length, 1, false, X, length);
  release(start);
}
