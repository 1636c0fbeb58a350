import type { Value } from '../../graph/value.js';
import { coupledGradient, decoupledParameter, type Optimizer, type UpdateContext } from './optimizer.js';

export interface AdamOptions {
  /** Decay rates of the two moments; default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment; default 1e-8. */
  readonly epsilon?: number;
}

/**
 * Adam: w ← w − η·m̂/(√v̂ + ε), regularizers coupled (part of the gradient), as in `torch.optim.Adam`.
 * Kingma & Ba, ICLR 2015, https://arxiv.org/abs/1412.6980.
 */
export function adam(options: AdamOptions = {}): Optimizer {
  return {
    name: 'adam',
    update(context) {
      return moved(context, context.parameter, coupledGradient(context), options);
    },
  };
}

/**
 * Adam with decoupled weight decay: w ← (1 − ηλ)w − η·m̂/(√v̂ + ε), as in `torch.optim.AdamW`.
 * Loshchilov & Hutter, ICLR 2019, https://arxiv.org/abs/1711.05101.
 */
export function adamW(options: AdamOptions = {}): Optimizer {
  return {
    name: 'adamw',
    update(context) {
      return moved(context, decoupledParameter(context), context.gradient, options);
    },
  };
}

function moved(context: UpdateContext, from: Value, gradient: Value, options: AdamOptions): Value {
  const { b } = context;
  const { first, root, stepSize } = moments(context, gradient, options);
  return b.sub(from, b.mul(b.div(first, root), stepSize));
}

/** The first moment (uncorrected), √v̂ + ε, and the rate with the first moment's correction in it. */
function moments(
  context: UpdateContext,
  gradient: Value,
  { betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-8 }: AdamOptions,
): { first: Value; root: Value; stepSize: Value } {
  const { b } = context;
  const { first, second } = movingMoments(context, gradient, beta1, beta2);
  // 1 − βᵗ in float64: in float32 it has three digits at the first steps.
  const rate = context.scalar('first_correction', ({ update }) => 1 / (1 - beta1 ** update));
  const root = context.scalar('second_correction', ({ update }) => 1 / Math.sqrt(1 - beta2 ** update));
  return {
    first,
    root: b.add(b.mul(b.sqrt(second), root), epsilon),
    stepSize: b.mul(context.learningRate, rate),
  };
}

/** m ← β₁m + (1 − β₁)g and v ← β₂v + (1 − β₂)g². */
export function movingMoments(
  context: UpdateContext,
  gradient: Value,
  beta1: number,
  beta2: number,
): { first: Value; second: Value } {
  const { b } = context;
  const first = context.state('first_moment');
  const second = context.state('second_moment');
  first.next = b.add(b.mul(first.value, beta1), b.mul(gradient, 1 - beta1));
  second.next = b.add(b.mul(second.value, beta2), b.mul(b.square(gradient), 1 - beta2));
  return { first: first.next, second: second.next };
}
