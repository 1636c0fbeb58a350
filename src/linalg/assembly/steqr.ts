/**
 * dsteqr: eigenvalues and eigenvectors of a symmetric tridiagonal matrix by the implicit QL iteration with
 * Wilkinson's shift (Dubrulle, Martin & Wilkinson, "The implicit QL algorithm", 1968).
 */
import { rotate } from './blas1';
import { at, EPSILON, get, NOTHING, set } from './elements';

const SWEEPS: i32 = 90;

/**
 * @param d n diagonal elements; become the eigenvalues, in no order
 * @param e n − 1 elements beside the diagonal; destroyed
 * @param Q rows of `length` elements, rotated along: eigenvector i of T ends in row i; length 0 for values alone
 * @returns whether every eigenvalue converged
 */
export function steqr(n: i32, d: usize, e: usize, Q: usize, ldq: i32, length: i32): bool {
  let norm: f64 = 0;
  for (let i = 0; i < n; i++) {
    norm = max(norm, Math.abs(get(d, i)) + (i < n - 1 ? Math.abs(get(e, i)) : 0));
  }
  const tiny = 0.125 * EPSILON * norm;
  for (let first = 0; first < n; first++) {
    let sweep = 0;
    for (; sweep < SWEEPS; sweep++) {
      const last = blockEnd(first, n, d, e, tiny);
      if (last == first) break;
      qlSweep(first, last, d, e, Q, ldq, length);
    }
    if (sweep == SWEEPS) return false;
  }
  return true;
}

/** Last row of the unreduced block that starts at `first`; sets the negligible element after it to zero. */
function blockEnd(first: i32, n: i32, d: usize, e: usize, tiny: f64): i32 {
  for (let m = first; m < n - 1; m++) {
    const beside = Math.abs(get(e, m));
    if (beside <= tiny || beside <= EPSILON * (Math.abs(get(d, m)) + Math.abs(get(d, m + 1)))) {
      set(e, m, 0);
      return m;
    }
  }
  return n - 1;
}

/** Chases the bulge from `last` up to `first`. */
function qlSweep(first: i32, last: i32, d: usize, e: usize, Q: usize, ldq: i32, length: i32): void {
  const e0 = get(e, first);
  let g = (get(d, first + 1) - get(d, first)) / (2 * e0);
  let r = Math.sqrt(g * g + 1);
  g = get(d, last) - get(d, first) + e0 / (g + (g >= 0 ? r : -r));
  let s: f64 = 1;
  let c: f64 = 1;
  let p: f64 = 0;
  for (let i = last - 1; i >= first; i--) {
    const f = s * get(e, i);
    const b = c * get(e, i);
    r = Math.sqrt(f * f + g * g);
    if (r < NOTHING) {
      if (i + 1 < last) set(e, i + 1, 0);
      // The matrix splits here: undo the pending shift and start again.
      set(d, i + 1, get(d, i + 1) - p);
      return;
    }
    if (i + 1 < last) set(e, i + 1, r);
    s = f / r;
    c = g / r;
    g = get(d, i + 1) - p;
    r = (get(d, i) - g) * s + 2 * c * b;
    p = s * r;
    set(d, i + 1, g + p);
    g = c * r - b;
    if (length > 0) rotate(length, at(Q, (i + 1) * ldq), at(Q, i * ldq), c, s);
  }
  set(d, first, get(d, first) - p);
  set(e, first, g);
}
