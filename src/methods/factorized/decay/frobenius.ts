import type { Builder } from '../../../graph/ops/builder.js';
import type { Value } from '../../../graph/value.js';
import type { TrainingMethod } from '../../../train/index.js';
import type { StepContext } from '../../../train/step/context.js';
import { attentionGradients, attentionParameters } from '../attention/decay.js';
import { isMatrixProduct } from '../factors.js';
import { type MatrixProduct, matrixProduct } from './matrix-factor.js';
import { factorPenalty } from './penalty.js';
import { tensorGradients } from './tensor-factors.js';

export interface DecayOptions {
  /** λ = strength × the weight decay of the step; default 1. */
  readonly strength?: number;
}

export interface FrobeniusDecayOptions extends DecayOptions {
  /** Which products: those of factorized layers, those in attentions (Q_h K_hᵀ and V_h O_hᵀ), or both. Default `layers`. */
  readonly of?: 'layers' | 'attention' | 'both';
}

/**
 * Frobenius decay: λ/2 ‖U Vᵀ‖²_F in the place of weight decay on the factors, whose gradients are λ U(VᵀV) and
 * λ V(UᵀU); with a middle factor U M Vᵀ the products of three. What weight decay does to a weight, this does to the
 * product of the factors, while weight decay on the factors themselves, λ/2 (‖U‖² + ‖V‖²), bounds its nuclear norm
 * from above. The product is never formed: with G = VᵀV (r × r), the cost is O((m + n) r²).
 *
 * λ is the step's weight decay. Parameters that are no factors keep ordinary decay.
 * Khodak, Tenenholtz, Mackey & Fusi, ICLR 2021, https://arxiv.org/abs/2105.01029.
 */
export function frobeniusDecay({ strength = 1, of = 'layers' }: FrobeniusDecayOptions = {}): TrainingMethod {
  const layers = of !== 'attention';
  const attention = of !== 'layers';
  return factorPenalty({
    name: 'frobenius-decay',
    parameters: network => [
      ...(layers ? [...network.factorized.values()].flatMap(({ factors }) => factors) : []),
      ...(attention ? attentionParameters(network) : []),
    ],
    gradients(context) {
      const lambda = decayScalar(context, strength);
      const found = new Map<string, Value>();
      if (attention) for (const [name, g] of attentionGradients(context, lambda)) found.set(name, g);
      if (!layers) return found;
      for (const layer of context.network.factorized.values()) {
        const present = (name: string): Value => context.value(name);
        const ofLayer = isMatrixProduct(layer)
          ? productGradients(context.b, matrixProduct(context.b, layer, present), lambda)
          : tensorGradients(context.b, layer, present, lambda);
        for (const [name, g] of ofLayer) found.set(name, g);
      }
      return found;
    },
  });
}

/** The step's weight decay times `strength`, an input. */
export function decayScalar(context: StepContext, strength: number): Value {
  const name = strength === 1 ? 'weight_decay' : `weight_decay*${strength}`;
  return context.scalar(name, ({ weightDecay }) => strength * weightDecay);
}

/**
 * λ times the gradient of ½‖U Vᵀ‖² or ½‖U M Vᵀ‖² for each factor. λ multiplies the small matrices.
 * @returns by the parameters' names
 */
export function productGradients(b: Builder, { u, m, v }: MatrixProduct, lambda: Value): Map<string, Value> {
  if (!m) {
    return new Map([
      [u.name, u.times(b.mul(v.gram, lambda))],
      [v.name, v.times(b.mul(u.gram, lambda))],
    ]);
  }
  const left = b.mul(b.gemm(u.gram, m.value), lambda); // λ UᵀU M
  const right = b.mul(b.gemm(m.value, v.gram), lambda); // λ M VᵀV
  return new Map([
    [u.name, u.times(b.gemm(right, m.value, { transB: true }))],
    [m.name, b.gemm(u.gram, right)],
    [v.name, v.times(b.gemm(m.value, left, { transA: true }))],
  ]);
}
