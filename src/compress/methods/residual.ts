import { matmul, matrix } from '../../linalg/index.js';
import { formatLabel, StoredFactor } from '../forms/factor.js';
import { foldIntegers, foldSum } from '../forms/fold.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import { dequantizeRows, type IntegerFormat, type QuantizedMatrix } from '../rounding/quantizer.js';
import { type Factors, whitenedFactors } from './factors.js';
import { fitBlock, INT8, quantizeLayer } from './quantize.js';

const FORMATS: readonly IntegerFormat[] = [
  { bits: 2, block: 32 },
  { bits: 3, block: 64 },
  { bits: 4, block: 128 },
];

const RANKS = [2, 4, 8];

/**
 * Quantization with a correction: W ≈ Q + U V, where Q is W in few bits and U V the best of its rank for what rounding
 * lost, in the norm of the layer's outputs. Both are joined again when the model is loaded, so that it runs as before.
 * (Yao et al., "ZeroQuant-V2: Exploring post-training quantization in LLMs from comprehensive study to low rank
 * compensation", 2023; whitened as in Zhang et al., "LQER", ICML 2024.)
 */
export const residual: Method = {
  name: 'residual',
  *propose(layer) {
    const { site, matrix: weight, groups } = layer;
    if (site.kind === 'embedding' || groups > 1 || Math.min(weight.rows, weight.cols) < 2 * RANKS.at(-1)!)
      return;
    for (const wanted of FORMATS) {
      const format = fitBlock(wanted, weight.cols);
      let quantized: QuantizedMatrix | undefined;
      let factors: Factors | undefined;
      const parts = () => {
        quantized ??= quantizeLayer(layer, format);
        if (!factors) {
          const rounded = dequantizeRows(quantized);
          const lost = weight.data.map((w, i) => w - rounded[i]!);
          factors = whitenedFactors(layer, lost);
        }
        return { quantized, factors };
      };
      for (const rank of RANKS) yield residualCandidate(layer, format, rank, parts);
    }
  },
};

function residualCandidate(
  { site: { tensor, layout }, matrix: { rows, cols } }: Layer,
  format: IntegerFormat,
  rank: number,
  parts: () => { quantized: QuantizedMatrix; factors: Factors },
): Candidate {
  const pair = (factors: Factors) => ({
    // One component a row, so that each has scales of its own.
    outer: new StoredFactor({ data: columnsAsRows(factors.outer(rank), rank), rows: rank, cols: rows }, INT8),
    inner: new StoredFactor({ data: factors.inner(rank), rows: rank, cols }, INT8),
  });
  return {
    method: 'residual',
    label: `${formatLabel(format)} + rank ${rank}`,
    rank,
    weight() {
      const { quantized, factors } = parts();
      const { outer, inner } = pair(factors);
      const correction = matmul(matrix(outer.restored(), rank, rows), matrix(inner.restored(), rank, cols), {
        transposeA: true,
      }).data;
      return dequantizeRows(quantized).map((w, i) => w + correction[i]!);
    },
    apply(target) {
      const { graph, value, opset } = target;
      const { quantized, factors } = parts();
      const { outer, inner } = pair(factors);
      const shape = { dims: tensor.dims, dtype: 'float32', layout, opset } as const;
      const product = graph.op('MatMul', [
        outer.write(target, [rows, rank], { perm: [1, 0], split: 1 }, 'float32'),
        inner.write(target, [rank, cols], { perm: [0, 1], split: 1 }, 'float32'),
      ]);
      const rounded = foldIntegers(graph, quantized, shape);
      graph.replaceUses(value, foldSum(graph, rounded, product, { ...shape, dtype: tensor.dtype }));
    },
  };
}

/** (rows, rank) as (rank, rows). */
function columnsAsRows(data: Float32Array, rank: number): Float32Array {
  const rows = data.length / rank;
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let k = 0; k < rank; k++) result[k * rows + r] = data[r * rank + k]!;
  return result;
}
