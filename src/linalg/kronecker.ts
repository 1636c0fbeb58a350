import { WhittleError } from '../graph/errors.js';
import { assertMatrix, type DenseMatrix, dense, type Matrix } from './matrix.js';
import { svd } from './svd.js';

/** A ≈ Σ left[k] ⊗ right[k] */
export interface KroneckerSum {
  /** m₁ × n₁ each, by falling weight. */
  readonly left: DenseMatrix[];
  /** m₂ × n₂ each. */
  readonly right: DenseMatrix[];
  /** Frobenius norm of each term: singular values of the rearranged matrix. The norm is shared equally by its factors. */
  readonly s: Float64Array<ArrayBuffer>;
}

/**
 * The sum of `terms` Kronecker products nearest to a matrix in the Frobenius norm: the block A(i, j) becomes a row of
 * a rearranged matrix, whose truncated SVD is the answer (Van Loan & Pitsianis, "Approximation with Kronecker
 * products", 1993).
 * @param a (m₁ m₂) × (n₁ n₂)
 * @param shape [m₁, n₁] of the left factor; m₂ × n₂ follows
 * @param terms 1 … min(m₁ n₁, m₂ n₂)
 * @throws WhittleError where the shape does not divide the matrix; otherwise as `svd`
 */
export function nearestKronecker(a: Matrix, shape: readonly [number, number], terms = 1): KroneckerSum {
  assertMatrix(a);
  const [m1, n1] = shape;
  const [m2, n2] = [a.rows / m1, a.cols / n1];
  if (![m1, n1, m2, n2].every(size => Number.isSafeInteger(size) && size > 0)) {
    throw new WhittleError(
      `nearestKronecker: ${a.rows} × ${a.cols} cannot be cut into ${m1} × ${n1} equal blocks`,
      {
        hint: 'Rows and columns of the left factor must divide those of the matrix',
      },
    );
  }
  // Row (i₁, j₁) of the rearrangement is block (i₁, j₁), row by row: (m₁ n₁) × (m₂ n₂).
  const rearranged = new Float64Array(m1 * n1 * m2 * n2);
  let next = 0;
  for (let i1 = 0; i1 < m1; i1++) {
    for (let j1 = 0; j1 < n1; j1++) {
      for (let i2 = 0; i2 < m2; i2++) {
        const from = (i1 * m2 + i2) * a.stride + j1 * n2;
        rearranged.set(a.data.subarray(from, from + n2), next);
        next += n2;
      }
    }
  }
  const { u, s, v } = svd(dense(rearranged, m1 * n1, m2 * n2), { rank: terms });
  const column = (x: DenseMatrix, k: number, rows: number, cols: number) => {
    const weight = Math.sqrt(s[k]!);
    const data = Float64Array.from({ length: x.rows }, (_, i) => weight * x.data[i * terms + k]!);
    return dense(data, rows, cols);
  };
  const all = Array.from(s, (_, k) => k);
  return { left: all.map(k => column(u, k, m1, n1)), right: all.map(k => column(v, k, m2, n2)), s };
}
