import { matmul, matrix } from '../../linalg/index.js';
import { formatLabel } from '../forms/factor.js';
import { foldIntegers } from '../forms/fold.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import {
  dequantizeRows,
  type IntegerFormat,
  type QuantizedMatrix,
  quantizeForStorage,
} from '../rounding/quantizer.js';
import { type Factors, maxRank, plainFactors } from './factors.js';
import { INT4, INT8 } from './quantize.js';

/** Shares of the full rank that are kept, few first; those of the paper reach down to a hundredth. */
export const LASER_SHARES: readonly number[] = [0.01, 0.05, 0.1, 0.25, 0.5];

/**
 * Rank reduction for its own sake: the weight is replaced by its truncated SVD, but stored whole, as integers. By the
 * layer's error it always loses to quantization alone; the point is that a task's own score sometimes gains from it.
 * (Sharma, Ash, Misra, "The truth is in there: improving reasoning in language models with layer-selective rank
 * reduction", ICLR 2024.)
 */
export const laser: Method = {
  name: 'laser',
  *propose(layer) {
    if (!isReducible(layer)) return;
    const factors = once(() => plainFactors(layer));
    for (const format of [INT4, INT8]) {
      for (const share of LASER_SHARES) yield laserCandidate(layer, share, format, factors);
    }
  },
};

/** Whether a layer has a rank to reduce. */
export const isReducible = ({ matrix: { rows, cols }, groups }: Layer): boolean =>
  Math.min(rows / groups, cols) >= 8;

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The weight cut to a share of its full rank. */
export function truncated(layer: Layer, share: number, factors: Factors = plainFactors(layer)): Float32Array {
  const { rows, cols } = layer.matrix;
  const { groups } = factors;
  const rank = rankOf(factors, share);
  const outer = factors.outer(rank);
  const inner = factors.inner(rank);
  const groupRows = rows / groups;
  const result = new Float32Array(rows * cols);
  for (let g = 0; g < groups; g++) {
    const u = matrix(outer.subarray(g * groupRows * rank, (g + 1) * groupRows * rank), groupRows, rank);
    const v = matrix(inner.subarray(g * rank * cols, (g + 1) * rank * cols), rank, cols);
    result.set(matmul(u, v).data, g * groupRows * cols);
  }
  return result;
}

const rankOf = (factors: Factors, share: number): number => Math.max(1, Math.round(share * maxRank(factors)));

/** @param share of the full rank that is kept */
export function laserCandidate(
  layer: Layer,
  share: number,
  format: IntegerFormat = INT8,
  factors: () => Factors = () => plainFactors(layer),
): Candidate {
  const { tensor, layout } = layer.site;
  const { rows, cols } = layer.matrix;
  const quantized = once(
    (): QuantizedMatrix =>
      quantizeForStorage({ data: truncated(layer, share, factors()), rows, cols }, format),
  );
  return {
    method: 'laser',
    label: `laser ${Math.round(100 * share)}% ${formatLabel(format)}`,
    bits: format.bits,
    weight: () => dequantizeRows(quantized()),
    apply({ graph, value, opset }) {
      const target = { dims: tensor.dims, dtype: tensor.dtype, layout, opset };
      graph.replaceUses(value, foldIntegers(graph, quantized(), target));
    },
  };
}
