import type { WeightLayout } from '../../calibrate/sites.js';
import { toMatrix, type WeightMatrix } from '../../compress/matrix.js';
import type { Tensor } from '../../graph/tensor.js';
import type { DenseLayer } from '../factorized/low-rank.js';
import { outputAxis } from './layers.js';

/** A quantized weight as a matrix of integers: w[r, c] = scales[r]·q[r, c] + offsets[r], a row for each output. */
export interface WeightCode {
  /** 1 to 8. */
  readonly bits: number;
  /** (rows, cols), each in [−2^(bits−1), 2^(bits−1) − 1]. */
  readonly q: Int8Array;
  readonly scales: Float32Array;
  /** Default zeros. */
  readonly offsets?: Float32Array;
}

/** How a layer's weight is a matrix whose rows are its outputs. */
export function layoutOf(layer: DenseLayer): WeightLayout {
  const perm = layer.weight.dims.map((_, axis) => axis);
  return { perm: outputAxis(layer) === 1 ? perm.reverse() : perm, split: 1 };
}

export const weightMatrix = (layer: DenseLayer, weight: Tensor): WeightMatrix =>
  toMatrix(weight, layoutOf(layer));

/** One bit a weight: `size(r)` where it is not negative, else −`size(r)`. */
export function signCode({ data, rows }: WeightMatrix, size: (row: number) => number): WeightCode {
  const sizes = Float32Array.from({ length: rows }, (_, r) => size(r));
  // The bit is 0 or −1: 2s·0 + s, or −2s + s.
  return {
    bits: 1,
    q: Int8Array.from(data, w => (w >= 0 ? 0 : -1)),
    scales: sizes.map(s => 2 * s),
    offsets: sizes,
  };
}

/** To the nearest whole number, halves to even, as ONNX's Round. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Rounds w/s[r] to integers between two bounds, in the arithmetic of the graph: float32. */
export function roundRows(
  { data, rows, cols }: WeightMatrix,
  scales: Float32Array,
  low: number,
  high: number,
): Int8Array {
  const q = new Int8Array(rows * cols);
  for (let i = 0; i < q.length; i++) {
    const u = Math.fround(data[i]! / scales[Math.floor(i / cols)]!);
    q[i] = roundHalfEven(Math.min(high, Math.max(low, u)));
  }
  return q;
}

/** The mean of |w| in each row. */
export function meanSizes({ data, rows, cols }: WeightMatrix): Float32Array {
  const means = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let c = 0; c < cols; c++) sum += Math.abs(data[r * cols + c]!);
    means[r] = sum / cols;
  }
  return means;
}
