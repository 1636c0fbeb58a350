import { stopGradient } from '../../graph/autodiff/index.js';
import type { Value } from '../../graph/value.js';
import { matrix, svd } from '../../linalg/index.js';
import { normal, uniformFanIn } from '../initializers.js';
import type { Scope } from '../scope.js';

export interface SpectralLinearOptions {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * y = x (γ W / σ(W))ᵀ + b with a learned number γ in the place of the largest singular value σ, so that attention scores
 * cannot run away. σ follows W by one power iteration a step; no gradient passes through the singular vectors.
 * Parameters: `weight`, `bias`, `sigma` (γ); buffer `u`, the right singular vector. Not recorded as a layer: what
 * replaced it would keep W for its norm.
 * @param x (…, inFeatures)
 * @returns (…, outFeatures)
 * Zhai et al., "Stabilizing transformer training by preventing attention entropy collapse", ICML 2023.
 */
export function spectralLinear(scope: Scope, x: Value, options: SpectralLinearOptions): Value {
  const { inFeatures, outFeatures, bias: hasBias = true } = options;
  const { network, graph } = scope;
  const weight = scope.parameter('weight', [outFeatures, inFeatures], {
    kind: 'weight',
    // The reference cuts at ±2, which is 100 deviations.
    initializer: normal(0.02),
  });
  const leading = () =>
    svd(matrix(network.tensor(weight.name).toFloat32(), outFeatures, inFeatures), { rank: 1 });
  const u = scope.parameter('u', [inFeatures, 1], {
    kind: 'buffer',
    initializer: () => Float32Array.from(leading().v.data),
  });
  const sigma = scope.parameter('sigma', [1], {
    kind: 'scale',
    initializer: () => Float32Array.from(leading().s),
  });

  const unit = (vector: Value): Value => scope.op('LpNormalization', [vector], { axis: 0, p: 2 });
  const transposed = scope.transpose(weight, 1, 0);
  const left = stopGradient(graph, unit(scope.op('MatMul', [weight, u]))); // (out, 1)
  const right = stopGradient(graph, unit(scope.op('MatMul', [transposed, left]))); // (in, 1)
  if (scope.training) network.updates.set(u.name, right);
  const norm = scope.op('MatMul', [scope.transpose(left, 1, 0), scope.op('MatMul', [weight, right])]); // (1, 1)
  const factor = scope.op('Div', [sigma, scope.reshape(norm, 1)]);
  const y = scope.op('Mul', [scope.op('MatMul', [x, transposed]), factor]);
  if (!hasBias) return y;
  const bias = scope.parameter('bias', [outFeatures], {
    kind: 'bias',
    initializer: uniformFanIn,
    fanIn: inFeatures,
    fanOut: outFeatures,
  });
  return scope.op('Add', [y, bias]);
}
