import { toFloat16 } from '../../graph/tensor.js';
import { halfExponent, matrix, roundWithFeedback } from '../../linalg/index.js';
import type { WeightMatrix } from '../matrix.js';

/** How numbers are stored: integers of `bits` bits, one scale for each row or for each block along a row. */
export interface IntegerFormat {
  /** 2 to 8. */
  readonly bits: number;
  /** Columns that share a scale; 0 for one scale per row. */
  readonly block: number;
}

/**
 * A matrix rounded to integers: w[r, c] ≈ scales[r, ⌊c / block⌋] · q[r, c]. The columns are padded with zeros to a
 * whole number of blocks.
 */
export interface QuantizedMatrix {
  readonly format: IntegerFormat;
  readonly rows: number;
  readonly cols: number;
  /** Columns including padding. */
  readonly paddedCols: number;
  /** Width of a block; the padded row where the format says 0. */
  readonly block: number;
  /** (rows, paddedCols), each in [−2^(bits−1), 2^(bits−1) − 1]. */
  readonly q: Int8Array;
  /** (rows, blocks); may be negative. */
  readonly scales: Float32Array;
  /** What each column is multiplied with besides: squares of `codes` over 255². */
  readonly columns?: { readonly codes: Uint8Array };
  /** What is added to each row at the end, unit · code; absent where the grid is symmetric. */
  readonly offsets?: { readonly unit: number; readonly codes: Int8Array };
  /**
   * What rounding cost each row, if it is known: d (S + ridge · 1) dᵀ with the second moment that errors were fed back by
   * and its ridge, d dᵀ without.
   */
  readonly losses?: Float64Array;
  /** How the scales are stored: scale = row's unit · code · |code|. Absent where they are stored as they are. */
  readonly nested?: { readonly units: Float32Array; readonly codes: Int8Array };
}

/** What a code of `QuantizedMatrix.columns` stands for. */
export const columnFactor = (code: number): number => Math.fround(code * code * COLUMN_UNIT);
export const COLUMN_UNIT = Math.fround(1 / 255 ** 2);

/**
 * Candidate scales, as a share of the one that just reaches the largest weight. At few bits, clipping the largest
 * weight a little costs less than the coarser grid that it would force upon all others.
 */
const SHRINK = [1, 0.93, 0.86, 0.79, 0.72];

/**
 * Rounds to nearest with symmetric scales. Below 8 bits each block takes, of several scales, the one with the least
 * squared error; the sign of the scale is free, so that the larger of the two extremes gets the longer side of the
 * two's-complement range.
 * @param roundScale rounds a scale to how it will be stored, so that the integers fit the stored scale
 */
export function quantizeRows(
  { data, rows, cols }: WeightMatrix,
  format: IntegerFormat,
  roundScale: (scale: number) => number = Math.fround,
): QuantizedMatrix {
  const block = format.block === 0 ? cols : Math.min(format.block, cols);
  const blocks = Math.ceil(cols / block);
  const paddedCols = blocks * block;
  const q = new Int8Array(rows * paddedCols);
  const scales = new Float32Array(rows * blocks);
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < blocks; b++) {
      const start = r * cols + b * block;
      const values = data.subarray(start, Math.min(start + block, (r + 1) * cols));
      const scale = bestScale(values, format.bits, roundScale);
      scales[r * blocks + b] = scale;
      roundInto(q, r * paddedCols + b * block, values, scale, format.bits);
    }
  }
  return { format, rows, cols, paddedCols, block, q, scales };
}

/** The matrix that the integers and scales stand for. */
export function dequantizeRows(matrix: QuantizedMatrix): Float32Array {
  const { rows, cols, paddedCols, block, q, scales } = matrix;
  const blocks = paddedCols / block;
  const factors = matrix.columns && Float32Array.from(matrix.columns.codes, columnFactor);
  const result = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    const offset = matrix.offsets ? matrix.offsets.unit * matrix.offsets.codes[r]! : 0;
    for (let b = 0; b < blocks; b++) {
      const scale = scales[r * blocks + b]!;
      const end = Math.min(cols, (b + 1) * block);
      for (let c = b * block; c < end; c++) {
        const scaled = q[r * paddedCols + c]! * scale;
        result[r * cols + c] = (factors ? Math.fround(scaled) * factors[c]! : scaled) + offset;
      }
    }
  }
  return result;
}

/** A matrix of more rows that takes as many bytes as one whose rows are like the given ones; its integers are 0. */
export function repeatRows(matrix: QuantizedMatrix, rows: number): QuantizedMatrix {
  const { paddedCols, block, scales, nested, offsets, losses: _, ...rest } = matrix;
  const repeated = <T extends Float32Array | Int8Array>(values: T, made: T): T => {
    for (let at = 0; at < made.length; at += values.length) {
      made.set(values.subarray(0, Math.min(values.length, made.length - at)), at);
    }
    return made;
  };
  const count = rows * (paddedCols / block);
  return {
    ...rest,
    rows,
    paddedCols,
    block,
    q: new Int8Array(rows * paddedCols),
    scales: repeated(scales, new Float32Array(count)),
    ...(nested && {
      nested: {
        units: repeated(nested.units, new Float32Array(rows)),
        codes: repeated(nested.codes, new Int8Array(count)),
      },
    }),
    ...(offsets && { offsets: { ...offsets, codes: repeated(offsets.codes, new Int8Array(rows)) } }),
  };
}

/**
 * The scale of a block.
 * @param importance what a squared error of each weight counts; all alike where it is left out
 */
export function bestScale(
  values: ArrayLike<number>,
  bits: number,
  roundScale: (scale: number) => number,
  importance?: ArrayLike<number>,
): number {
  let low = 0;
  let high = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < low) low = values[i]!;
    if (values[i]! > high) high = values[i]!;
  }
  const limit = 2 ** (bits - 1);
  if (bits === 8) return roundScale(Math.max(high, -low) / (limit - 1));
  // The extreme maps to −limit: negative scales where the extreme is positive.
  const full = (-low > high ? low : high) / -limit;
  let best = 0;
  let bestError = Infinity;
  for (const sign of [1, -1]) {
    for (const share of SHRINK) {
      const scale = roundScale(sign * share * full);
      const error = squaredError(values, scale, bits, importance, bestError);
      if (error < bestError) [best, bestError] = [scale, error];
    }
  }
  return best;
}

/** Σ importance · (w − ŵ)², given up once it exceeds `limit`. */
function squaredError(
  values: ArrayLike<number>,
  scale: number,
  bits: number,
  importance: ArrayLike<number> | undefined,
  limit: number,
): number {
  const top = 2 ** (bits - 1);
  const inverse = scale === 0 ? 0 : 1 / scale;
  let sum = 0;
  for (let i = 0; i < values.length && sum <= limit; i++) {
    const rounded = Math.min(top - 1, Math.max(-top, Math.round(values[i]! * inverse)));
    const error = values[i]! - rounded * scale;
    sum += error * error * (importance ? importance[i]! : 1);
  }
  return sum;
}

function roundInto(q: Int8Array, at: number, values: Float32Array, scale: number, bits: number): void {
  // An all-zero block has scale 0; so has one too small for its scale's dtype.
  if (scale === 0) return;
  const limit = 2 ** (bits - 1);
  for (let i = 0; i < values.length; i++) {
    q[at + i] = Math.min(limit - 1, Math.max(-limit, Math.round(values[i]! / scale)));
  }
}

export const FLOAT16_MAX = 65504;

/** Bytes that a Cast node with its names takes in a file. */
const CAST_BYTES = 40;

/** Whether so many numbers save more as float16 than the Cast costs. */
export const paysAsHalf = (count: number): boolean => count * 2 > CAST_BYTES;

/**
 * Whether scales are stored as float16, and then times which power of two (its exponent): where one brings them all into
 * its range, and it saves more than its Cast costs.
 */
export const storedExponent = (scales: ArrayLike<number>): number | undefined =>
  paysAsHalf(scales.length) ? halfExponent(scales) : undefined;

/** A number as float16 holds it times 2^exponent. */
export const roundedToHalf = (value: number, exponent: number): number =>
  toFloat16(value * 2 ** exponent) / 2 ** exponent;

/**
 * Rounds to nearest with the scales as they will be stored: float16 where that holds them all and saves bytes, else
 * float32. The same as `quantizeRows`, many times as fast.
 */
export function quantizeForStorage(
  { data, rows, cols }: WeightMatrix,
  format: IntegerFormat,
): QuantizedMatrix {
  const block = format.block === 0 ? cols : Math.min(format.block, cols);
  const blocks = Math.ceil(cols / block);
  const precision = paysAsHalf(rows * blocks) ? 'float16' : 'float32';
  const weight = matrix(data as Float32Array<ArrayBuffer>, rows, cols);
  const [rounded] = roundWithFeedback(weight, undefined, [{ ...format, scales: precision }]);
  const { q, scales, losses } = rounded!;
  return { format, rows, cols, paddedCols: blocks * block, block, q, scales, losses };
}
