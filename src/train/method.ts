import type { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import type { Network } from '../nn/network.js';
import type { Parameter } from '../nn/parameter.js';
import type { StepContext } from './step/context.js';
import type { Unit } from './step/units.js';

/**
 * A way of training that goes beyond loss and optimizer: a regularizer, sparse masks, an average of the weights,
 * distillation, quantization with straight-through gradients. It says what it does while the step is built and between
 * steps; neither step nor loop know a method by name. Everything is optional.
 */
export interface TrainingMethod {
  readonly name: string;

  // While the step is built

  /** Changes the network before anything else: replaces layers, inserts quantizers. Evaluation sees it too. */
  prepare?(network: Network): void;
  /** Whether the method must see this parameter as a tensor of its own. Others may be laid end to end. */
  separates?(parameter: Parameter): boolean;
  /** The loss to differentiate instead of `loss`, e.g. with a penalty or a teacher's term added. */
  loss?(context: StepContext, loss: Value): Value;
  /** The gradient to use instead of `gradient`, before clipping. */
  gradient?(context: StepContext, unit: Unit, gradient: Value): Value;
  /**
   * Gradient of a regularizer, times its strength. The optimizer adds it to the gradient (SGD, Adam) or subtracts it
   * from the weights, times the learning rate (AdamW, LAMB).
   */
  penalty?(context: StepContext, unit: Unit): Value | undefined;
  /** Whether ordinary weight decay is left out, since `penalty` takes its place. */
  replacesWeightDecay?(parameter: Parameter): boolean;
  /** The weights to keep instead of `next`, the optimizer's result. */
  updated?(context: StepContext, unit: Unit, next: Value): Value;

  // Between steps

  /** Before the first step, after a resume too. */
  started?(run: TrainingRun): void | Promise<void>;
  beforeStep?(run: TrainingRun): void | Promise<void>;
  afterStep?(run: TrainingRun): void | Promise<void>;
  /** Parameters to evaluate and export in the place of the present ones. */
  exported?(run: TrainingRun): ReadonlyMap<string, Tensor> | undefined;
  /** What must be saved besides the states of the graph; JSON. */
  save?(): unknown;
  /** Takes what `save` gave. */
  restore?(saved: unknown): void;
}

/** A training in progress, as a method sees it between steps. */
export interface TrainingRun {
  readonly network: Network;
  /** Updates made so far. */
  readonly update: number;
  /** Updates to be made in all. */
  readonly updates: number;
  /** Of the present step, or of the last one where it is over. */
  readonly learningRate: number;
  /** What the last step measured; empty before the first. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Names of all parameters and states. */
  readonly names: Iterable<string>;
  /** A copy of a parameter or a state, e.g. `conv1.weight` or `mask/conv1.weight`. */
  read(name: string): Tensor;
  /** Replaces one. @throws WhittleError where there is none of that name and shape */
  write(name: string, tensor: Tensor): void;
  /** Adds a figure to the log of this step. */
  log(name: string, value: number): void;
}
