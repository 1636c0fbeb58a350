/**
 * Singular values without vectors, from the Gram matrix. An eigenvalue λ of AᵀA is known up to ε σ₁², so that √λ is good
 * to a few 1e-14 σ₁ down to σ₁ / 100 and is taken as it is. For the smaller ones A is multiplied by their eigenvectors
 * alone, and the same is done with that narrow product: its singular values differ from those of A by the leak of large
 * singular vectors into the small ones, at most 100 ε σ₁.
 */
import { norm, scale } from './blas1';
import { at, clear, copy, EPSILON, get, getInt, set } from './elements';
import { gemm, syrk } from './gemm';
import { ormtr } from './ormtr';
import { stedc } from './stedc';
import { steqr } from './steqr';
import { sortDescending } from './syevd';
import { sytrd } from './sytrd';
import { mark, release, take } from './workspace';

/** Share of the largest singular value down to which eigenvalues suffice. */
const TRUSTED: f64 = 0.01;
/** Share below which only rounding errors are left. */
const NEGLIGIBLE: f64 = 10 * EPSILON;

/**
 * @param A m × n, m ≥ n, largest element near 1; destroyed
 * @param sigma n: receives the singular values, largest first
 * @returns whether the eigenvalue iterations converged
 */
export function gramValues(m: i32, n: i32, A: usize, sigma: usize): bool {
  let unit: f64 = 1; // what A has been divided by
  let negligible: f64 = 0;
  let done = 0;
  while (done < n) {
    const rest = n - done;
    const values = at(sigma, done);
    const start = mark();
    const G = take(rest * rest);
    const d = take(rest);
    const e = take(rest);
    const taus = take(rest);
    // −AᵀA: its largest eigenvalues belong to the smallest singular values.
    syrk(rest, m, -1, A, 1, rest, false, G, rest);
    sytrd(rest, G, rest, d, e, taus);
    if (!rootsOfEigenvalues(rest, d, e, values)) return false;
    const top = get(values, 0);
    if (done == 0) negligible = NEGLIGIBLE * top;
    let kept = 0;
    while (kept < rest && top > 0 && get(values, kept) >= TRUSTED * top) kept++;
    scale(kept, unit, values);
    done += kept;
    if (kept > 0 && done < n) {
      if (!multiplyBySmallest(m, rest, rest - kept, A, G, d, e, taus)) return false;
      const size = norm(m * (n - done), A);
      unit *= size;
      if (unit > negligible) scale(m * (n - done), 1 / size, A);
    }
    release(start);
    if (kept == 0 || unit <= negligible) break;
  }
  clear(n - done, at(sigma, done));
  sortDescending(n, sigma);
  return true;
}

/** √−λ of the tridiagonal matrix, largest first; d and e are kept. */
function rootsOfEigenvalues(n: i32, d: usize, e: usize, roots: usize): bool {
  const start = mark();
  const beside = take(n);
  copy(n, d, roots);
  copy(n, e, beside);
  const converged = steqr(n, roots, beside, 0, 0, 0);
  for (let i = 0; i < n; i++) set(roots, i, Math.sqrt(max(0, -get(roots, i))));
  sortDescending(n, roots);
  release(start);
  return converged;
}

/** A (m × n) becomes A times the eigenvectors of its `count` smallest singular values, m × count. */
function multiplyBySmallest(
  m: i32, n: i32, count: i32, A: usize, G: usize, d: usize, e: usize, taus: usize,
): bool {
  const start = mark();
  const order = take(n);
  const V = take(count * n);
  const inner = mark();
  const Q = take(n * n);
  const converged = stedc(n, d, e, Q, order, count, 0);
  for (let i = 0; i < count; i++) copy(n, at(Q, getInt(order, n - 1 - i) * n), at(V, i * n));
  release(inner);
  ormtr(n, G, n, taus, V, count, n);
  const B = take(m * count);
  gemm(m, count, n, 1, A, n, 1, V, 1, n, false, B, count);
  copy(m * count, B, A);
  release(start);
  return converged;
}
