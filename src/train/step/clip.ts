import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';

export interface ClipOptions {
  /** Scale all gradients together so that their joint norm is at most this. */
  readonly norm?: number;
  /** Limit every element to ± this. */
  readonly value?: number;
}

/** √Σ‖g‖² over all gradients. */
export function globalNorm(b: Builder, gradients: readonly Value[]): Value {
  const squares = gradients.map(g => b.op('ReduceSumSquare', [g], { keepdims: 0 }));
  return b.sqrt(b.total(squares));
}

/**
 * Scales gradients by min(1, limit / (norm + 10⁻⁶)), as `torch.nn.utils.clip_grad_norm_` does.
 * Pascanu, Mikolov & Bengio, ICML 2013, https://arxiv.org/abs/1211.5063.
 */
export function clipByNorm(b: Builder, gradients: readonly Value[], norm: Value, limit: Value): Value[] {
  const factor = b.binary('Min', b.div(limit, b.add(norm, 1e-6)), 1);
  return gradients.map(g => b.mul(g, factor));
}

export const clipByValue = (b: Builder, gradients: readonly Value[], limit: Value): Value[] =>
  gradients.map(g => b.op('Clip', [g, b.neg(limit), limit]));
