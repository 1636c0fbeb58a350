import type { Model } from '../../graph/model.js';
import type { TrainingMethod } from '../method.js';
import type { Objective } from '../objective.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { ClipOptions } from './clip.js';
import type { ParameterGroup } from './groups.js';
import type { StateSlot } from './state.js';

/** A finished step as passes see it. */
export interface StepParts {
  readonly model: Model;
  readonly states: readonly StateSlot[];
}

/**
 * Rewrites a finished step: its graph, and how states are laid out in it. The model may be changed in place; whoever
 * replaces model or states returns them.
 */
export type StepPass = (step: StepParts) => StepParts | undefined;

export interface StepOptions {
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  /** First match counts; the rest is one group with the defaults. */
  readonly groups?: readonly ParameterGroup[];
  /** Whether there is weight decay. Its strength is given at each step. Default true. */
  readonly weightDecay?: boolean;
  /** In the order in which they act. */
  readonly methods?: readonly TrainingMethod[];
  readonly clip?: ClipOptions;
  /** Batches whose gradients are averaged before the weights move; default 1. */
  readonly accumulation?: number;
  /**
   * Multiply the loss before it is differentiated, and divide the gradients again, so that small gradients survive in
   * half precision; where one overflows, the update is left out. Default false.
   */
  readonly lossScaling?: boolean;
  /** Measure the norm of the gradient at each step; it always is where clipping or loss scaling need it. */
  readonly gradientNorm?: boolean;
  /** Sizes of the inputs' symbolic dimensions, e.g. `{ batch: 128 }`; what is not named stays open. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Applied in order to the finished step. */
  readonly passes?: readonly StepPass[];
  /** Parameters of at most so many elements share a tensor; default 16384 (see `docs/training.md`). */
  readonly flattenBelow?: number;
  /** The most parameters that share a tensor; default any number. */
  readonly flattenTogether?: number;
}
