import { type DenseMatrix, matrix, roundWithFeedback, toDense } from '../../linalg/index.js';
import type { WeightMatrix } from '../matrix.js';
import {
  columnFactor,
  type IntegerFormat,
  paysAsHalf,
  type QuantizedMatrix,
  roundedToHalf,
  storedExponent,
} from './quantizer.js';

/** How far a column's factor follows the size of its weights, and how far it shrinks where errors count more. */
const SIZE = 0.5;
const WEIGHT = 0.25;

/** From so many blocks in a row on, a unit for the row and a byte for each block are less than float16 for each. */
const NESTED_FROM = 3;

/** Room for weights that grow when errors are handed on to them, as a share of the largest. */
const HEADROOM = 1.2;

/**
 * Quantization with error feedback after balancing: each column has a factor of its own, by which large columns do not
 * force a coarse grid on the others and columns whose errors count more get a finer one. Short blocks store their scales
 * in a byte, in a unit that their row shares. Where rows lie to one side of zero the grid is asymmetric.
 *
 * (Column factors by activations: Lin et al., "AWQ", 2023; both axes: Müller et al., "SINQ", 2025; scales of scales:
 * Dettmers et al., "QLoRA", 2023.)
 * @param factor see `feedbackFactor`; without it all errors count alike and columns get no factors
 */
export function quantizeBalanced(
  { data, rows, cols }: WeightMatrix,
  format: IntegerFormat,
  factor: DenseMatrix | undefined,
): QuantizedMatrix {
  const block = format.block === 0 ? cols : Math.min(format.block, cols);
  const blocks = Math.ceil(cols / block);
  const offsets = rowOffsets({ data, rows, cols }, block);
  // Plain loops: from() with a function takes ten times as long, and these matrices have millions of numbers.
  const balanced = new Float64Array(data);
  if (offsets) {
    for (let r = 0; r < rows; r++) {
      const offset = offsets.unit * offsets.codes[r]!;
      for (let i = r * cols; i < (r + 1) * cols; i++) balanced[i]! -= offset;
    }
  }
  const columns = factor && { codes: columnCodes(balanced, rows, cols, factor) };
  const factors = columns && Float64Array.from(columns.codes, columnFactor);
  if (factors) divideColumns(balanced, rows, factors);
  // In terms of balanced columns, S is T S T: the columns of U are divided by the same factors.
  const u = columns && balancedFactor(factor, columns.codes);
  const shape = {
    format,
    rows,
    cols,
    paddedCols: blocks * block,
    block,
    ...(columns && { columns }),
    ...(offsets && { offsets }),
  };
  if (blocks >= NESTED_FROM) {
    const units = rowUnits(balanced, rows, cols, format.bits);
    if (units) {
      for (let r = 0; r < rows; r++) {
        for (let i = r * cols; i < (r + 1) * cols; i++) balanced[i]! /= units[r]!;
      }
      const [rounded] = roundWithFeedback(matrix(balanced, rows, cols), u, [
        { ...format, scales: 'squares' },
      ]);
      const codes = Int8Array.from(rounded!.scales, s => Math.sign(s) * Math.sqrt(Math.abs(s)));
      const losses = rounded!.losses.map((loss, r) => loss * units[r]! ** 2);
      return { ...shape, q: rounded!.q, scales: scalesOf(units, codes), nested: { units, codes }, losses };
    }
  }
  const precision = paysAsHalf(rows * blocks) ? 'float16' : 'float32';
  const [rounded] = roundWithFeedback(matrix(balanced, rows, cols), u, [{ ...format, scales: precision }]);
  return { ...shape, q: rounded!.q, scales: rounded!.scales, losses: rounded!.losses };
}

/** Formats alike in their factors share the balanced U of a layer, 75 MB of 3072 columns. */
const BALANCED = new WeakMap<DenseMatrix, { readonly codes: Uint8Array; readonly u: DenseMatrix }>();

function balancedFactor(factor: DenseMatrix, codes: Uint8Array): DenseMatrix {
  const known = BALANCED.get(factor);
  if (known?.codes.every((code, c) => code === codes[c])) return known.u;
  const u = toDense(factor);
  divideColumns(u.data, u.rows, Float64Array.from(codes, columnFactor));
  BALANCED.set(factor, { codes, u });
  return u;
}

function divideColumns(data: Float64Array, rows: number, factors: Float64Array): void {
  const cols = factors.length;
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) data[r * cols + c]! /= factors[c]!;
}

/** The scales that units and codes stand for, (rows, blocks). */
export function scalesOf(units: Float32Array, codes: Int8Array): Float32Array {
  const blocks = codes.length / units.length;
  return Float32Array.from(codes, (code, i) => code * Math.abs(code) * units[Math.floor(i / blocks)]!);
}

/** The roots of the columns' factors, as shares of the largest in 255 steps. */
function columnCodes(
  data: Float64Array,
  rows: number,
  cols: number,
  { data: u, stride }: DenseMatrix,
): Uint8Array {
  const energies = new Float64Array(cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) energies[c]! += data[r * cols + c]! ** 2;
  const roots = new Float64Array(cols);
  for (let c = 0; c < cols; c++) {
    // An error in column c costs its square over u².
    const wanted = energies[c]! ** (SIZE / 2) * Math.abs(u[c * stride + c]!) ** (2 * WEIGHT);
    roots[c] = Math.sqrt(wanted);
  }
  const largest = roots.reduce((a, b) => Math.max(a, b), 0);
  if (!(largest > 0 && largest < Infinity)) return new Uint8Array(cols).fill(255);
  return Uint8Array.from(roots, root => Math.max(LEAST_CODE, Math.round((255 * root) / largest)));
}

/** Keeps factors within 1 : 250; smaller ones could not be told apart. */
const LEAST_CODE = 16;

/** An offset has to take so much off the squared steps to be worth its bytes. */
const OFFSET_FROM = 0.5;

/**
 * What to take off each row so that its blocks lie about zero: an asymmetric grid, in steps of a byte. The middle of a row
 * with one scale; of one with many the mean, from which each block strays to its own side.
 * @returns `undefined` where a symmetric grid is as good
 */
function rowOffsets({ data, rows, cols }: WeightMatrix, block: number): QuantizedMatrix['offsets'] {
  const wanted = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * cols, (r + 1) * cols);
    wanted[r] =
      block === cols
        ? (row.reduce((a, b) => Math.max(a, b)) + row.reduce((a, b) => Math.min(a, b))) / 2
        : row.reduce((a, b) => a + b) / cols;
  }
  const unit = Math.fround(wanted.reduce((a, b) => Math.max(a, Math.abs(b)), 0) / 127);
  if (!(unit > 0)) return undefined;
  const codes = Int8Array.from(wanted, offset => Math.round(offset / unit));
  const squaredSteps = (offsetOf: (row: number) => number) => {
    let sum = 0;
    for (let r = 0; r < rows; r++) {
      const offset = offsetOf(r);
      for (let start = 0; start < cols; start += block) {
        let most = 0;
        for (let c = start; c < Math.min(start + block, cols); c++)
          most = Math.max(most, Math.abs(data[r * cols + c]! - offset));
        sum += most ** 2;
      }
    }
    return sum;
  };
  return squaredSteps(r => unit * codes[r]!) < OFFSET_FROM * squaredSteps(() => 0)
    ? { unit, codes }
    : undefined;
}

/** The smallest unit as a share of the largest: what the range of float16 spans with full precision. */
const UNIT_RANGE = 2 ** -28;

/** A unit for each row with which the codes of its scales end near 127; `undefined` where float16 cannot hold them. */
function rowUnits(
  balanced: Float64Array,
  rows: number,
  cols: number,
  bits: number,
): Float32Array<ArrayBuffer> | undefined {
  const units = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let most = 0;
    for (let c = 0; c < cols; c++) most = Math.max(most, Math.abs(balanced[r * cols + c]!));
    units[r] = (HEADROOM * most) / 2 ** (bits - 1) / 127 ** 2;
  }
  const largest = units.reduce((a, b) => Math.max(a, b), 0);
  if (largest === 0) return undefined;
  // float16 must hold all units, those of rows of zeros too: a tiny row does with a coarser one.
  for (let r = 0; r < rows; r++) units[r] = Math.max(units[r]!, largest * UNIT_RANGE);
  const exponent = storedExponent(units);
  return exponent === undefined ? undefined : units.map(unit => roundedToHalf(unit, exponent));
}
