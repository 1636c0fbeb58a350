import type { Dataset } from '../datasets/dataset.js';
import type { CustomGradients } from '../graph/autodiff/index.js';
import type { Model } from '../graph/model.js';
import type { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import type { Network } from '../nn/network.js';
import type { Parameter } from '../nn/parameter.js';
import type { LayerClaim } from './claims.js';
import type { Objective } from './objective.js';
import type { Moment } from './schedules/schedule.js';
import type { StepContext } from './step/context.js';
import type { Unit } from './step/units.js';

/**
 * A way of training that goes beyond loss and optimizer: a regularizer, sparse masks, an average of the weights,
 * distillation, quantization with straight-through gradients. It says what it does while the step is built and between
 * steps; neither step nor loop know a method by name. Everything is optional.
 */
export interface TrainingMethod {
  readonly name: string;
  /**
   * What the method has to itself, each as the end of a sentence, e.g. `the masks`: two methods with the same claim do
   * not combine. Whoever has `moment` decides the schedule, too.
   */
  readonly claims?: readonly string[];
  /** Which layers it changes or needs. */
  readonly layerClaim?: LayerClaim;

  // Before it is built

  /** The examples to train on instead of `data`. Asked at a resume again: it must give the same. */
  trainOn?(data: Dataset): Dataset | Promise<Dataset>;

  // While the step is built

  /**
   * Changes the network before anything else: replaces layers, inserts quantizers. Evaluation sees it too.
   * @param sizes of symbolic dimensions in a step, such as `batch`, as far as they are known
   */
  prepare?(network: Network, sizes?: Readonly<Record<string, number>>): void;
  /** Whether the method must see this parameter as a tensor of its own. Others may be laid end to end. */
  separates?(parameter: Parameter): boolean;
  /** Gradients of nodes that `prepare` marked with `customGradient`, by the rules' names. */
  readonly gradientRules?: CustomGradients;
  /**
   * The loss to differentiate instead of `loss`, e.g. with a penalty or a teacher's term added.
   * @param objective what `loss` comes from, where no method changed it
   */
  loss?(context: StepContext, loss: Value, objective: Objective): Value;
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

  // The course of the training

  /** Updates to be made in all where `updates` were asked for; a method that trains in rounds makes more. */
  lengthen?(updates: number): number;
  /** Where schedules and optimizer stand instead of `moment`, e.g. at the start again with each round. */
  moment?(moment: Moment): Moment;
  /** False while the weights are not yet what the method is for, e.g. not sparse enough: they cannot be the best. */
  settled?(run: TrainingRun): boolean;

  // Between steps

  /** Before the first step, after a resume too. */
  started?(run: TrainingRun): void | Promise<void>;
  beforeStep?(run: TrainingRun): void | Promise<void>;
  afterStep?(run: TrainingRun): void | Promise<void>;
  /**
   * Parameters to evaluate and export in the place of the present ones.
   * @param replaced those that methods before this one replaced
   */
  exported?(run: TrainingRun, replaced: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> | undefined;
  /** Changes a copy of the trained network before it becomes a model, e.g. multiplies factors into plain layers. */
  exportNetwork?(network: Network): void;
  /** The model to write instead of `model`, which is the trained network's export: without what training left out. */
  exportModel?(model: Model): Model;
  /** What must be saved besides the states of the graph; JSON. */
  save?(): unknown;
  /** Tensors that must be saved besides, by names of the method's own. */
  saveTensors?(): ReadonlyMap<string, Tensor>;
  /** Takes what `save` and `saveTensors` gave. */
  restore?(saved: unknown, tensors: ReadonlyMap<string, Tensor>): void;
}

/** A training in progress, as a method sees it between steps. */
export interface TrainingRun {
  readonly network: Network;
  readonly objective: Objective;
  /** Those of all methods. */
  readonly gradientRules: CustomGradients;
  /** The training examples, without augmentation. */
  readonly data: Dataset;
  /** The training's seed. */
  readonly seed: number;
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
  /** What the optimizer keeps for each parameter: of `momentum`, the state of `fc.weight` is `momentum/fc.weight`. */
  readonly optimizerStates: readonly string[];
  /** A copy of a parameter or a state, e.g. `conv1.weight` or `mask/conv1.weight`. */
  read(name: string): Tensor;
  /** Replaces one. @throws WhittleError where there is none of that name and shape */
  write(name: string, tensor: Tensor): void;
  /** Asks the next step for what a method declared with `context.observable`, e.g. `gradient/conv1.weight`. */
  observe(name: string): void;
  /** What the last step was asked for. @throws WhittleError where it was not */
  observed(name: string): Tensor;
  /** Adds a figure to the log of this step. */
  log(name: string, value: number): void;
}
