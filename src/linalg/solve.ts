import { WhittleError } from '../graph/errors.js';
import { matmulBytes } from './forecast.js';
import { matmul } from './matmul.js';
import { assertMatrix, assertSquare, type DenseMatrix, dense, type Matrix } from './matrix.js';
import { qr, qrPivoted } from './qr.js';
import { svd } from './svd.js';
import { read, withKernels, write } from './workspace.js';

export interface TriangularOptions {
  /** The upper triangle of t is used instead of the lower one. The other triangle is never read. */
  upper?: boolean;
  /** Solves tᵀ x = b. */
  transpose?: boolean;
}

/**
 * Solves t x = b for a triangular t: (n × n) · (n × k) = n × k.
 * @returns x, n × k
 * @throws WhittleError for a zero on the diagonal, sizes that do not fit, NaN and infinite elements
 */
export function solveTriangular(t: Matrix, b: Matrix, options: TriangularOptions = {}): DenseMatrix {
  assertSquare(t, 't');
  assertMatrix(b, 'b');
  const n = t.rows;
  if (b.rows !== n) throw new WhittleError(`solveTriangular: t is ${n} × ${n}, but b has ${b.rows} rows`);
  const { upper = false, transpose = false } = options;
  for (let i = 0; i < n; i++) {
    if (t.data[i * t.stride + i] === 0) {
      throw new WhittleError(`solveTriangular: t is singular, its diagonal element ${i} is 0`, {
        hint: 'Use lstsq for a matrix without full rank',
      });
    }
  }
  return withKernels(matmulBytes(n, n, b.cols), `triangular solution of ${n} × ${n}`, kernels => {
    const pt = write(kernels, t, 't');
    const pb = write(kernels, b, 'b');
    const [rowStep, colStep] = transpose ? [1, n] : [n, 1];
    kernels.trsm(n, b.cols, pt, rowStep, colStep, upper === transpose, pb, b.cols);
    return dense(read(kernels, pb, n * b.cols), n, b.cols);
  });
}

/** The solution of a least squares problem. */
export interface LeastSquares {
  /** n × k; among all minimizers of ‖a x − b‖ the one of least norm. */
  readonly x: DenseMatrix;
  /** Numerical rank of a. */
  readonly rank: number;
}

/**
 * Least squares: x (n × k) that minimizes ‖a x − b‖ for a (m × n) and b (m × k), by a complete orthogonal
 * factorization (LAPACK's dgelsy): QR with column pivoting, then QR of the transposed leading rows.
 * @param options.tolerance share of the largest diagonal element of R below which the rank ends; max(m, n) · 2.2e-16
 *   unless given
 * @throws WhittleError for sizes that do not fit, NaN and infinite elements
 */
export function lstsq(a: Matrix, b: Matrix, options: { tolerance?: number } = {}): LeastSquares {
  assertMatrix(a, 'a');
  assertMatrix(b, 'b');
  if (a.rows !== b.rows) throw new WhittleError(`lstsq: a has ${a.rows} rows, b has ${b.rows}`);
  const { rows: m, cols: n } = a;
  const { tolerance = Math.max(m, n) * Number.EPSILON } = options;
  const { q, r, permutation } = qrPivoted(a);
  const k = r.rows;
  const least = tolerance * r.data[0]!;
  let rank = 0;
  while (rank < k && r.data[rank * n + rank]! > least) rank++;
  const solution = new Float64Array(n * b.cols);
  if (rank > 0) {
    // A P = Q₁ [R₁₁ R₁₂], and [R₁₁ R₁₂] = Tᵀ Zᵀ: x = P Z T⁻ᵀ Q₁ᵀ b.
    const leading = { ...r, rows: rank };
    const rotated = matmul({ ...q, cols: rank }, b, { transposeA: true });
    const permuted =
      rank === n ? solveTriangular(leading, rotated, { upper: true }) : solveWide(leading, rotated);
    permutation.forEach((to, from) =>
      solution.set(permuted.data.subarray(from * b.cols, (from + 1) * b.cols), to * b.cols),
    );
  }
  return { x: dense(solution, n, b.cols), rank };
}

/** The solution of least norm of r x = b for r (rank × n) with full row rank. */
function solveWide(r: Matrix, b: DenseMatrix): DenseMatrix {
  const columns = new Float64Array(r.cols * r.rows);
  for (let i = 0; i < r.rows; i++) {
    for (let j = 0; j < r.cols; j++) columns[j * r.rows + i] = r.data[i * r.stride + j]!;
  }
  const { q: z, r: t } = qr(dense(columns, r.cols, r.rows));
  return matmul(z, solveTriangular(t, b, { upper: true, transpose: true }));
}

/**
 * The Moore–Penrose inverse, n × m for an m × n matrix.
 * @param options.tolerance share of the largest singular value below which others count as zero;
 *   max(m, n) · 2.2e-16 unless given
 * @throws WhittleError for NaN and infinite elements
 */
export function pinv(a: Matrix, options: { tolerance?: number } = {}): DenseMatrix {
  const { u, s, v } = svd(a);
  const { tolerance = Math.max(a.rows, a.cols) * Number.EPSILON } = options;
  const least = tolerance * s[0]!;
  const rank = s.length;
  const scaled = v.data.slice();
  for (let i = 0; i < v.rows; i++) {
    for (let j = 0; j < rank; j++) scaled[i * rank + j] = s[j]! > least ? scaled[i * rank + j]! / s[j]! : 0;
  }
  return matmul(dense(scaled, v.rows, rank), u, { transposeB: true });
}
