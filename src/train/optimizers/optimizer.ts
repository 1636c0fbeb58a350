import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';
import type { State, StepInputs } from '../step/state.js';

/**
 * What an optimizer builds one update from. All tensors have the shape of `parameter`, which may be several small
 * parameters laid end to end.
 */
export interface UpdateContext {
  readonly b: Builder;
  readonly parameter: Value;
  /** Gradient of the loss: after accumulation and clipping, without weight decay. */
  readonly gradient: Value;
  /** Scalar, of the parameter's group. */
  readonly learningRate: Value;
  /** Scalar λ of ½λ‖w‖²; absent where the group has no decay. */
  readonly weightDecay: Value | undefined;
  /** Gradient of further regularizers; coupled or decoupled as the optimizer treats weight decay. */
  readonly penalty: Value | undefined;
  /** A tensor that the optimizer keeps from step to step, at first filled with zeros. Set its `next`. */
  state(name: string): State;
  /** A number that is computed outside of the graph, in float64, before each step; one name is one input. */
  scalar(name: string, of: (inputs: StepInputs) => number): Value;
}

/** A rule that moves parameters along their gradients, as nodes of the step's graph. One file each. */
export interface Optimizer {
  readonly name: string;
  /** Whether a tensor's update depends on the tensor as a whole, so that parameters must not be laid end to end. */
  readonly wholeTensors?: boolean;
  /** Emits the update and returns the parameter's next value. */
  update(context: UpdateContext): Value;
}

/** gradient + λ·parameter + penalty: regularizers as part of the gradient, which momentum then sees. */
export function coupledGradient({ b, gradient, parameter, weightDecay, penalty }: UpdateContext): Value {
  const terms = [gradient];
  if (weightDecay) terms.push(b.mul(parameter, weightDecay));
  if (penalty) terms.push(penalty);
  return b.total(terms);
}

/** parameter − rate·(λ·parameter + penalty): regularizers apart from the gradient. */
export function decoupledParameter(context: UpdateContext): Value {
  const { b, parameter, learningRate, weightDecay, penalty } = context;
  // (1 − rate·λ)·w is one pass over the weights, w − rate·(λ·w) three.
  const decayed = weightDecay ? b.mul(parameter, b.sub(1, b.mul(learningRate, weightDecay))) : parameter;
  return penalty ? b.sub(decayed, b.mul(penalty, learningRate)) : decayed;
}
