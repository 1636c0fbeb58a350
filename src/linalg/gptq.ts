import { WhittleError } from '../graph/errors.js';
import type { Kernels, Pointer } from './kernels.js';
import { assertMatrix, assertSquare, type DenseMatrix, dense, type Matrix, rowOf } from './matrix.js';
import { withKernels, write } from './workspace.js';

export interface RoundingFormat {
  /** 2 to 8. */
  readonly bits: number;
  /** Columns that share a scale; 0 for all of them. */
  readonly block: number;
  /**
   * How scales are rounded: to float16 where its range holds all of them, to float32, or to ± the square of an integer
   * from 1 to 127 (the rows then come in a unit that suits it).
   */
  readonly scales: 'float16' | 'float32' | 'squares';
}

/** A matrix as integers times scales, one scale a block of a row. */
export interface RoundedMatrix {
  /** (rows, blocks · block), columns padded with zeros to whole blocks. */
  readonly q: Int8Array<ArrayBuffer>;
  /** (rows, blocks); may be negative. */
  readonly scales: Float32Array<ArrayBuffer>;
  /** Whether float16 holds all scales, up to a power of two that they share: see `halfExponent`. */
  readonly half: boolean;
  /**
   * d (S + ridge · 1) dᵀ of each row's error d, with S and the ridge of `inverseFactor`; d dᵀ without feedback. With
   * scales of squares, in the rows' units.
   */
  readonly losses: Float64Array<ArrayBuffer>;
}

/** See `inverseFactor`. */
export interface InverseFactor extends DenseMatrix {
  /** What was added to the diagonal. */
  readonly ridge: number;
}

/** Rows in work at once: enough to share the reading of U, few enough for the cache. */
const TILE = 256;

/** Where float16 has its full precision. */
const [HALF_MIN, HALF_MAX] = [2 ** -14, 65504];

/**
 * U, upper triangular with (S + ridge · 1)⁻¹ = Uᵀ U, of a symmetric positive semidefinite n × n matrix. Row i says how
 * an error in element i of a vector is best made good by the elements after it.
 * @param share the ridge as a share of the mean diagonal; ten times as much, and again, where rounding needs it
 * @throws WhittleError for an indefinite matrix, NaN and infinite elements
 */
export function inverseFactor(s: Matrix, share: number): InverseFactor {
  assertSquare(s);
  const n = s.rows;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += s.data[i * s.stride + i]!;
  return withKernels(16 * n * n + 4096, `inverse factor of ${n} × ${n}`, kernels => {
    const p = kernels.take(n * n);
    const x = kernels.take(n * n);
    for (let ridge = share; ridge <= 1; ridge *= 10) {
      // Reversing rows and columns turns the lower Cholesky factor into an upper one, S = V Vᵀ; then U = V⁻¹.
      const start = kernels.mark();
      kernels.release(p);
      const elements = new Float64Array(kernels.memory.buffer, write(kernels, s), n * n);
      kernels.release(start);
      elements.reverse();
      const added = (ridge * trace) / n || 1;
      for (let i = 0; i < n; i++) elements[i * n + i]! += added;
      if (kernels.potrf(n, p, n) > 0) continue;
      elements.reverse();
      kernels.trtri(n, p, x);
      return { ...dense(new Float64Array(kernels.memory.buffer, x, n * n).slice(), n, n), ridge: added };
    }
    throw new WhittleError(`the second moment of ${n} inputs is not positive semidefinite`, {
      hint: 'Check the calibration inputs for values beyond the range of float32 sums',
    });
  });
}

/**
 * Rounds the rows of a matrix to integers, column by column, the error of each column made good by those after it.
 * (GPTQ: Frantar, Ashkboos, Hoefler, Alistarh, https://arxiv.org/abs/2210.17323.) Below 8 bits each block takes, of ten
 * scales, the one with the least weighted squared error, its sign free.
 * @param w rows × n
 * @param u n × n, see `inverseFactor`; without it each weight is rounded to the nearest, all errors counting alike
 * @returns one result for each format
 */
export function roundWithFeedback(
  w: Matrix,
  u: Matrix | undefined,
  formats: readonly RoundingFormat[],
): RoundedMatrix[] {
  assertMatrix(w, 'w');
  if (u) assertSquare(u, 'u');
  const { rows, cols } = w;
  if (u && u.rows !== cols)
    throw new WhittleError(`roundWithFeedback: w has ${cols} columns, u ${u.rows} rows`);
  const tile = Math.min(TILE, rows + (rows % 2));
  const bytes =
    8 *
    ((u ? cols * cols : 0) +
      2 * tile * cols +
      tile * Math.max(...formats.map(({ block }) => block), 64) +
      cols +
      tile);
  return withKernels(bytes + tile * cols * 9 + 4096, `rounding of ${rows} × ${cols}`, kernels => {
    const pu = u ? write(kernels, u, 'u') : 0;
    return formats.map(format => {
      const run = (half: boolean) => roundRows(kernels, w, pu, format, half, tile);
      if (format.scales !== 'float16') return run(false);
      const result = run(true);
      return result.half ? result : run(false);
    });
  });
}

/** Beyond this 2^−e is no normal float32 any more. */
const MAX_EXPONENT = 120;

/**
 * An exponent e with which all scales · 2^e lie where float16 has its full precision: 0 where they do as they are.
 * @returns `undefined` where they lie too far apart
 */
export function halfExponent(scales: ArrayLike<number>): number | undefined {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < scales.length; i++) {
    const size = Math.abs(scales[i]!);
    if (size === 0) continue;
    if (size < least) least = size;
    if (size > most) most = size;
  }
  if (most === 0 || (least >= HALF_MIN && most <= HALF_MAX)) return 0;
  const exponent = 14 - Math.floor(Math.log2(most));
  return exponent <= MAX_EXPONENT && least * 2 ** exponent >= HALF_MIN ? exponent : undefined;
}

function roundRows(
  kernels: Kernels,
  w: Matrix,
  u: Pointer,
  { bits, block: wanted, scales: precision }: RoundingFormat,
  half: boolean,
  tile: number,
): RoundedMatrix {
  const { rows, cols } = w;
  const block = wanted === 0 ? cols : Math.min(wanted, cols);
  const blocks = Math.ceil(cols / block);
  const paddedCols = blocks * block;
  const q = new Int8Array(rows * paddedCols);
  const scales = new Float32Array(rows * blocks);
  const losses = new Float64Array(rows);
  for (let first = 0; first < rows; first += tile) {
    const start = kernels.mark();
    const count = Math.min(tile, rows - first);
    // Two rows go together; a lone one gets company of zeros.
    const padded = count + (count % 2);
    const pw = kernels.take(padded * cols);
    const errors = kernels.take(padded * (block < cols ? Math.max(32, block) : 32));
    const importance = kernels.take(cols);
    const pq = kernels.take(Math.ceil((padded * cols) / 8));
    const ps = kernels.take(padded * blocks);
    const pl = kernels.take(padded);
    const columns = new Float64Array(kernels.memory.buffer, pw, padded * cols);
    if (padded > count) columns.fill(0);
    for (let r = 0; r < count; r++) {
      const row = rowOf(w, first + r);
      for (let c = 0; c < cols; c++) columns[c * padded + r] = row[c]!;
    }
    const squares = precision === 'squares';
    kernels.gptq(padded, cols, bits, block, half, squares, pw, u, errors, importance, pq, ps, pl);
    const integers = new Int8Array(kernels.memory.buffer, pq, padded * cols);
    const steps = new Float64Array(kernels.memory.buffer, ps, padded * blocks);
    for (let r = 0; r < count; r++) {
      const at = (first + r) * paddedCols;
      for (let c = 0; c < cols; c++) q[at + c] = integers[c * padded + r]!;
      for (let b = 0; b < blocks; b++) scales[(first + r) * blocks + b] = steps[b * padded + r]!;
    }
    losses.set(new Float64Array(kernels.memory.buffer, pl, count), first);
    kernels.release(start);
  }
  return { q, scales, losses, half: half && halfExponent(scales) !== undefined };
}
