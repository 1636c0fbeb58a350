import { type DenseMatrix, matmul, matrix } from '../../linalg/index.js';
import type { Layer } from '../layer.js';
import { roundedToHalf } from '../rounding/quantizer.js';

/** Columns that are finished before the rest of the row hears of it, by one matrix product. */
export const COLUMNS = 64;

/** What a sweep asks for: the number to store in the place of a weight. */
export interface ColumnRule {
  /**
   * Called once before each run of columns, when these are up to date: where what is stored depends on several columns.
   * @param work (rows, cols) of the group of rows in work, the errors of earlier columns made good
   * @param costs of a squared error in each column, see `columnCosts`
   */
  enter?(first: number, end: number, work: Float64Array, costs: Float64Array, firstRow: number): void;
  /** @param row of the whole weight */
  store(row: number, column: number, value: number): number;
}

export interface SweepOptions {
  /** Columns between two calls of `enter`; a multiple of what `enter` decides on together. */
  readonly step?: number;
  /** Whether errors are handed on; default true. */
  readonly feedback?: boolean;
}

/**
 * Replaces a weight number by number, column by column, the error of each made good by the columns after it, so that the
 * layer's output on the calibration inputs changes least. Without calibration nothing is handed on.
 * (The recursion of optimal brain surgeon, as GPTQ and SparseGPT use it; Frantar & Alistarh, 2022 and 2023.)
 * @returns what is stored, (rows, cols)
 */
export function sweepColumns(
  layer: Layer,
  rule: ColumnRule,
  { step = COLUMNS, feedback = true }: SweepOptions = {},
): Float32Array<ArrayBuffer> {
  const { data, rows, cols } = layer.matrix;
  const factors = feedback ? layer.feedback() : undefined;
  const costs = columnCosts(layer);
  const groupRows = rows / costs.length;
  const result = new Float32Array(rows * cols);
  for (let firstRow = 0, g = 0; firstRow < rows; firstRow += groupRows, g++) {
    const part = Float64Array.from(data.subarray(firstRow * cols, (firstRow + groupRows) * cols));
    sweepGroup(part, cols, factors?.[g], costs[g]!, rule, firstRow, step, result);
  }
  return result;
}

function sweepGroup(
  work: Float64Array<ArrayBuffer>,
  cols: number,
  u: DenseMatrix | undefined,
  costs: Float64Array,
  rule: ColumnRule,
  firstRow: number,
  step: number,
  result: Float32Array,
): void {
  const rows = work.length / cols;
  for (let first = 0; first < cols; first += step) {
    const end = Math.min(first + step, cols);
    const width = end - first;
    rule.enter?.(first, end, work, costs, firstRow);
    const errors = new Float64Array(rows * width);
    for (let r = 0; r < rows; r++) {
      for (let c = first; c < end; c++) {
        const value = work[r * cols + c]!;
        const stored = rule.store(firstRow + r, c, value);
        result[(firstRow + r) * cols + c] = stored;
        if (!u) continue;
        const error = (value - stored) / u.data[c * u.stride + c]!;
        errors[r * width + c - first] = error;
        for (let j = c + 1; j < end; j++) work[r * cols + j]! -= error * u.data[c * u.stride + j]!;
      }
    }
    if (!u || end === cols) continue;
    const right = matrix(u.data.subarray(first * u.stride + end), width, cols - end, u.stride);
    const made = matmul(matrix(errors, rows, width), right).data;
    for (let r = 0; r < rows; r++) {
      for (let j = end; j < cols; j++) work[r * cols + j]! -= made[r * (cols - end) + j - end]!;
    }
  }
}

/**
 * What a squared error in each column costs once the columns after it have made good what they can: 1 / u² for each
 * group of rows; 1 without calibration.
 */
export function columnCosts(layer: Layer): Float64Array[] {
  const { cols } = layer.matrix;
  const factors = layer.feedback();
  return factors ? factors.map(u => costsOf(u, cols)) : [new Float64Array(cols).fill(1)];
}

const costsOf = (u: DenseMatrix, cols: number): Float64Array =>
  Float64Array.from({ length: cols }, (_, c) => u.data[c * u.stride + c]! ** -2);

/**
 * A number with the 11 bits of float16, whatever its size: written as float16 (times a power of two) or as float32 it is
 * the same, so that it need not be known beforehand which of them a set of scales can be.
 */
export const halfPrecision = (value: number): number =>
  value === 0 ? 0 : roundedToHalf(value, -Math.floor(Math.log2(Math.abs(value))));
