/**
 * dgeqp3 / dlaqp2: QR with column pivoting (Businger & Golub 1965); remaining column lengths are updated and computed
 * anew where cancellation spoils them (Drmač & Bujanović, "On the failure of rank-revealing QR factorization software",
 * 2008).
 */
import { axpy, dot, norm, swap } from './blas1';
import { at, EPSILON, get, getInt, set, setInt } from './elements';
import { beta, reflector, tau } from './householder';
import { mark, release, take } from './workspace';

/**
 * Arguments as of `geqrf`: row j of A is column j of the matrix.
 * @param pivots int32, n: pivots[j] is the column of the matrix that stands at place j of the result
 */
export function geqp3(m: i32, n: i32, A: usize, lda: i32, diagonal: usize, taus: usize, pivots: usize): void {
  const start = mark();
  const lengths = take(n);
  const trusted = take(n);
  for (let j = 0; j < n; j++) {
    setInt(pivots, j, j);
    set(lengths, j, norm(m, at(A, j * lda)));
    set(trusted, j, get(lengths, j));
  }
  for (let j = 0; j < min(m, n); j++) {
    bringLongest(j, n, m, A, lda, lengths, trusted, pivots);
    const v = at(A, j * lda + j);
    reflector(v, m - j - 1, at(v, 1));
    const t = tau;
    set(taus, j, t);
    set(diagonal, j, beta);
    for (let i = j + 1; i < n; i++) {
      const x = at(A, i * lda + j);
      axpy(m - j, -t * dot(m - j, v, x), v, x);
      shorten(i, get(x, 0), m - j - 1, at(x, 1), lengths, trusted);
    }
  }
  release(start);
}

/** Exchanges column j for the longest of the columns from j on. */
function bringLongest(
  j: i32, n: i32, m: i32, A: usize, lda: i32, lengths: usize, trusted: usize, pivots: usize,
): void {
  let best = j;
  for (let i = j + 1; i < n; i++) if (get(lengths, i) > get(lengths, best)) best = i;
  if (best == j) return;
  swap(m, at(A, j * lda), at(A, best * lda));
  set(lengths, best, get(lengths, j));
  set(trusted, best, get(trusted, j));
  const pivot = getInt(pivots, j);
  setInt(pivots, j, getInt(pivots, best));
  setInt(pivots, best, pivot);
}

/** The length of column i without its first element. */
function shorten(i: i32, first: f64, rest: i32, x: usize, lengths: usize, trusted: usize): void {
  const length = get(lengths, i);
  if (length == 0) return;
  const share = first / length;
  const left = max(0, 1 - share * share);
  const drift = length / get(trusted, i);
  if (left * drift * drift <= Math.sqrt(EPSILON)) {
    set(lengths, i, norm(rest, x));
    set(trusted, i, get(lengths, i));
  } else {
    set(lengths, i, length * Math.sqrt(left));
  }
}
