import { WhittleError } from '../graph/errors.js';
import { BLOCK_ELEMENTS } from './forecast.js';
import { matmul } from './matmul.js';
import { assertMatrix, assertRank, type DenseMatrix, dense, type Matrix } from './matrix.js';
import { qr } from './qr.js';
import { normalNumbers } from './random.js';
import { signColumns } from './signs.js';
import { type Svd, svd } from './svd.js';

export interface RandomizedSvdOptions {
  /** Directions beyond the rank that are followed as well; 10 unless given. */
  oversampling?: number;
  /** Products with A Aᵀ that sharpen the subspace; 2 unless given. More where the spectrum falls slowly. */
  powerIterations?: number;
  /** Of the random test matrix; the same seed gives the same bits. 0 unless given. */
  seed?: number;
}

/**
 * The `rank` largest singular values of an m × n matrix and their vectors, approximately, by randomized subspace
 * iteration (Halko, Martinsson & Tropp, "Finding structure with randomness", 2011, algorithms 4.4 and 5.1). For small
 * ranks of matrices too large for `svd`: it reads the matrix in blocks of rows, 2 + 2 · powerIterations times, and
 * needs memory only for (m + n) · (rank + oversampling) numbers.
 *
 * Returns `{ u, s, v }` as `svd` with `rank` does. Singular values come out slightly too small, never too large; those
 * well above number rank + oversampling are exact to rounding.
 * @throws WhittleError for NaN and infinite elements, a rank outside 1 … min(m, n), negative options
 */
export function randomizedSvd(a: Matrix, rank: number, options: RandomizedSvdOptions = {}): Svd {
  assertMatrix(a);
  const { rows: m, cols: n } = a;
  assertRank(rank, Math.min(m, n));
  const { oversampling = 10, powerIterations = 2, seed = 0 } = options;
  for (const [name, value] of Object.entries({ oversampling, powerIterations })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new WhittleError(`randomizedSvd: ${name} is ${value}, but must be an integer from 0 on`);
    }
  }
  const width = Math.min(rank + oversampling, m, n);
  const test = dense(normalNumbers(n * width, seed), n, width);
  let range = qr(times(a, test)).q; // (m, width)
  for (let i = 0; i < powerIterations; i++) {
    const corange = qr(transposedTimes(a, range)).q; // (n, width)
    range = qr(times(a, corange)).q;
  }
  // B = rangeᵀ A is small: its singular values are A's, its left vectors become A's through the range.
  const inner = svd(transposedTimes(a, range), { rank }); // of Bᵀ (n, width)
  const result = { u: matmul(range, inner.v), s: inner.s, v: inner.u };
  signColumns(result.u, result.v);
  return result;
}

/** a · x, block by block of rows. */
function times(a: Matrix, x: DenseMatrix): DenseMatrix {
  const product = new Float64Array(a.rows * x.cols);
  for (const { block, first } of blocksOf(a)) product.set(matmul(block, x).data, first * x.cols);
  return dense(product, a.rows, x.cols);
}

/** aᵀ · x, summed over blocks of rows. */
function transposedTimes(a: Matrix, x: DenseMatrix): DenseMatrix {
  const sum = dense(new Float64Array(a.cols * x.cols), a.cols, x.cols);
  for (const { block, first } of blocksOf(a)) {
    const rows = { ...x, data: x.data.subarray(first * x.cols), rows: block.rows };
    matmul(block, rows, { transposeA: true, addTo: sum });
  }
  return sum;
}

function* blocksOf(a: Matrix): Generator<{ block: Matrix; first: number }> {
  const height = Math.max(1, Math.floor(BLOCK_ELEMENTS / a.cols));
  for (let first = 0; first < a.rows; first += height) {
    const rows = Math.min(height, a.rows - first);
    yield { block: { ...a, data: a.data.subarray(first * a.stride), rows }, first };
  }
}
