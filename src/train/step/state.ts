import type { DType } from '../../graph/dtype.js';
import type { Tensor } from '../../graph/tensor.js';
import type { Shape, Value } from '../../graph/value.js';

/** What the world outside of the graph tells a step. Schedules change all of it without a new graph. */
export interface StepInputs {
  /** Number of this update, from 1, as optimizers count; a method that begins anew begins at 1 again. */
  readonly update: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Number of this batch since training began, from 0; with accumulation there are several to an update. */
  readonly batch: number;
  /** Place of this batch in its update, from 0, of `accumulation` in all. */
  readonly microBatch: number;
  readonly seed: number;
  /** What the loss is multiplied by before it is differentiated. */
  readonly lossScale: number;
}

/** A tensor carried from step to step: an input and, as `next`, an output of the graph. */
export interface State {
  readonly value: Value;
  next: Value | undefined;
}

/** Where a named tensor lies in a state. */
export interface StatePart {
  /** A parameter's name, or `momentum/` and a parameter's name. */
  readonly name: string;
  readonly dims: readonly number[];
  /** First element. */
  readonly offset: number;
}

/** A state of the finished step as the runner sees it. */
export interface StateSlot {
  readonly input: string;
  /** Absent where no step changes the state, only somebody between steps. */
  readonly output: string | undefined;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly parts: readonly StatePart[];
  /** The tensors to begin with, by the parts' names; zeros where there is none. */
  readonly initial: ReadonlyMap<string, Tensor>;
  /** Set by passes that keep the state in another layout: from the plain layout to theirs and back. */
  readonly layout?: {
    readonly encode: (plain: Tensor) => Tensor;
    readonly decode: (stored: Tensor) => Tensor;
  };
}

/** A tensor of a step that is fetched only when somebody asks, under its parts' names. */
export interface Observable {
  readonly output: string;
  readonly dims: readonly number[];
  readonly parts: readonly StatePart[];
}

/** A scalar input that is computed before each step. */
export interface ScalarInput {
  readonly name: string;
  readonly dtype: 'float32' | 'uint32' | 'bool';
  readonly of: (inputs: StepInputs) => number;
}

/** An input that a batch of data fills. */
export interface BatchInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}
