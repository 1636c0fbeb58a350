import { WhittleError } from '../../graph/errors.js';
import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';

export interface ClipOptions {
  /** Scale all gradients together so that their joint norm is at most this; positive. */
  readonly norm?: number;
  /** Limit every element to ± this; positive. */
  readonly value?: number;
}

/** @throws WhittleError for a limit that would stop gradients, or turn them round */
export function checkClip(clip: ClipOptions): void {
  for (const name of ['norm', 'value'] as const) {
    const limit = clip[name];
    // As the graph gets it: what rounds to 0 stops all, too.
    if (limit === undefined || (Math.fround(limit) > 0 && Number.isFinite(Math.fround(limit)))) continue;
    throw new WhittleError(`clip.${name} must be a positive number, not ${limit}`, {
      hint: 'Leave it out where nothing is to be clipped; gradientNorm: true measures the norm alone',
    });
  }
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

/** Holds each element between −limit and limit; `limit` is a scalar. */
export const clipByValue = (b: Builder, gradients: readonly Value[], limit: Value): Value[] =>
  gradients.map(g => b.op('Clip', [g, b.neg(limit), limit]));
