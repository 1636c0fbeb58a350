import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { TrainingMethod } from '../../train/method.js';
import type { StepContext } from '../../train/step/context.js';
import { defineMethod } from '../entry.js';
import { type PenaltyOptions, penalizedLayers, penaltyClaim, penaltySettings } from './penalized.js';

/**
 * Soft orthogonality: λ/4 ‖WᵀW − I‖²_F, or of WWᵀ where W has fewer rows than columns; a kernel is the (out, in·kh·kw)
 * matrix. The gradient is λ W (WᵀW − I). Unlike `decay=orthogonal` of factorized layers it acts on whole weights.
 * Bansal, Chen & Wang, NeurIPS 2018, https://arxiv.org/abs/1810.09102, equation 4.
 */
export function softOrthogonality({ strength, layers }: PenaltyOptions): TrainingMethod {
  let weights: ReadonlySet<string> = new Set();
  return {
    name: 'orthogonality',
    claims: ['the orthogonality of weights'],
    layerClaim: penaltyClaim(layers),
    prepare(network) {
      weights = new Set(penalizedLayers(network, layers).keys());
    },
    separates: ({ name }) => weights.has(name),
    penalty(context, unit) {
      if (unit.parameters.length > 1 || !weights.has(unit.name)) return undefined;
      return orthogonalityGradient(context, context.value(unit.name), strength);
    },
  };
}

function orthogonalityGradient({ b }: StepContext, weight: Value, strength: number): Value {
  const dims = weight.fixedShape!;
  const rows = dims[0]!;
  const cols = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const w = dims.length === 2 ? weight : b.reshape(weight, [rows, cols]);
  const tall = rows >= cols;
  const gram = b.gemm(w, w, { transA: tall, transB: !tall, alpha: strength });
  const excess = b.sub(gram, scaledIdentity(b, Math.min(rows, cols), strength));
  const gradient = tall ? b.gemm(w, excess) : b.gemm(excess, w);
  return dims.length === 2 ? gradient : b.reshape(gradient, dims);
}

function scaledIdentity(b: StepContext['b'], size: number, value: number): Value {
  const data = new Float32Array(size * size);
  for (let i = 0; i < size; i++) data[i * (size + 1)] = value;
  return b.constant(Tensor.float32([size, size], data), `${value} on the diagonal of ${size}`);
}

export const ORTHOGONALITY = defineMethod({
  name: 'orthogonality',
  family: 'penalty',
  summary: 'Rows or columns of each weight are drawn towards an orthonormal system.',
  paper: {
    title: 'Can We Gain More from Orthogonality Regularizations in Training Deep CNNs?',
    authors: 'Bansal, Chen, Wang',
    year: 2018,
    url: 'https://arxiv.org/abs/1810.09102',
  },
  settings: penaltySettings(1e-2),
  create: softOrthogonality,
});
