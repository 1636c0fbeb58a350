import type { Builder } from '../../../graph/ops/builder.js';
import { Tensor } from '../../../graph/tensor.js';
import type { Value } from '../../../graph/value.js';
import type { TrainingMethod } from '../../../train/index.js';
import { isMatrixProduct } from '../factors.js';
import { type DecayOptions, decayScalar } from './frobenius.js';
import { matrixProduct } from './matrix-factor.js';
import { factorPenalty } from './penalty.js';

export interface OrthogonalityOptions extends DecayOptions {
  /**
   * What the columns of a factor should be: `orthogonal` to each other, of any length, as those of √Σ-scaled singular
   * vectors are, or `orthonormal`. Default `orthogonal`.
   */
  readonly target?: 'orthogonal' | 'orthonormal';
}

/**
 * Soft orthogonality in the place of weight decay on the factors: λ/4 ‖UᵀU − T‖²_F with T the identity, or the diagonal
 * of UᵀU; likewise for V. The gradient is λ U(UᵀU − T). λ is the step's weight decay times `strength`. A middle factor
 * is left alone.
 * Bansal, Chen & Wang, NeurIPS 2018, https://arxiv.org/abs/1810.09102; for factors Yang et al., "Learning low-rank deep
 * neural networks via singular vector orthogonality regularization", CVPR workshops 2020.
 */
export function orthogonalityDecay({
  strength = 1,
  target = 'orthogonal',
}: OrthogonalityOptions = {}): TrainingMethod {
  return factorPenalty({
    name: 'orthogonality',
    parameters: network => [...network.factorized.values()].flatMap(({ factors }) => factors),
    gradients(context) {
      const { b } = context;
      const lambda = decayScalar(context, strength);
      const found = new Map<string, Value>();
      for (const layer of context.network.factorized.values()) {
        if (!isMatrixProduct(layer)) continue;
        const { u, v } = matrixProduct(b, layer, name => context.value(name));
        for (const factor of [u, v]) {
          found.set(factor.name, factor.times(b.mul(excess(b, factor.gram, target), lambda)));
        }
      }
      return found;
    },
  });
}

/** What a Gram matrix has beyond the target. */
function excess(b: Builder, gram: Value, target: 'orthogonal' | 'orthonormal'): Value {
  const size = gram.fixedShape![0]!;
  const eye = (onDiagonal: number): Value => {
    const off = 1 - onDiagonal;
    const data = Float32Array.from({ length: size * size }, (_, i) =>
      i % (size + 1) === 0 ? onDiagonal : off,
    );
    return b.constant(Tensor.float32([size, size], data), `diagonal ${onDiagonal} of ${size}`);
  };
  return target === 'orthonormal' ? b.sub(gram, eye(1)) : b.mul(gram, eye(0));
}
