import type { DType } from '../../graph/dtype.js';
import { WhittleError } from '../../graph/errors.js';
import type { Graph } from '../../graph/graph.js';
import type { Builder } from '../../graph/ops/builder.js';
import { sizeOf, type Tensor } from '../../graph/tensor.js';
import { type Shape, tensorType, type Value } from '../../graph/value.js';
import type { Network } from '../../nn/network.js';
import { beforeSoftmax } from '../losses.js';
import type { Observable, ScalarInput, State, StatePart, StateSlot, StepInputs } from './state.js';
import { parameterSize, type Unit } from './units.js';

/** What objectives, methods and optimizers build a step with. */
export class StepContext {
  readonly b: Builder;
  /** The network that the step is built around; its parameters' values are found by `value`. */
  readonly network: Network;
  /** False where the graph only evaluates. */
  readonly training: boolean;
  readonly scalars: ScalarInput[] = [];
  readonly metrics: Map<string, Value> = new Map();
  /** Names of what the optimizer keeps for each unit. */
  readonly optimizerStates: Set<string> = new Set();
  /** Units that a regularizer moves besides the gradient. */
  readonly penalized: Set<Unit> = new Set();
  /** What can be asked of a step. */
  readonly observables: { readonly observable: Omit<Observable, 'output'>; readonly value: Value }[] = [];
  readonly units: ReadonlyMap<Unit, Value>;
  /** A parameter's tensor before the first step. */
  readonly initial: (parameter: string) => Tensor;
  private readonly values: ReadonlyMap<string, Value>;
  private readonly outputs: ReadonlyMap<string, Value>;
  private readonly pending: { slot: Omit<StateSlot, 'output'>; state: State }[] = [];

  constructor(
    b: Builder,
    network: Network,
    training: boolean,
    units: { inputs: ReadonlyMap<Unit, Value>; values: ReadonlyMap<string, Value> },
    initial: (parameter: string) => Tensor,
    outputs: ReadonlyMap<string, Value> = new Map(network.outputs.map(output => [output.name, output])),
  ) {
    this.initial = initial;
    this.b = b;
    this.network = network;
    this.training = training;
    this.units = units.inputs;
    this.values = units.values;
    this.outputs = outputs;
  }

  get graph(): Graph {
    return this.network.graph;
  }

  /** An output of the network. @throws WhittleError where there is none of that name */
  output(name: string): Value {
    const value = this.outputs.get(name);
    if (value) return value;
    throw new WhittleError(`the network has no output "${name}"`, {
      value: name,
      hint: `It has ${[...this.outputs.keys()].join(', ')}`,
    });
  }

  /**
   * An output's scores: where it is a softmax over the last axis, what that reads.
   * @throws WhittleError where there is no output of that name
   */
  scores(name: string): Value {
    return beforeSoftmax(this.output(name));
  }

  /** The same step, as an objective sees it that is built of other values than the network's outputs. */
  withOutputs(outputs: ReadonlyMap<string, Value>): StepContext {
    return Object.create(this, { outputs: { value: outputs } }) as StepContext;
  }

  /** An input that batches fill, declared at the first call. @throws WhittleError where it has another dtype */
  input(name: string, dtype: DType, shape: Shape): Value {
    const known = this.graph.inputs.find(input => input.name === name);
    if (!known) return this.graph.addInput(name, tensorType(dtype, shape));
    if (known.dtype === dtype) return known;
    throw new WhittleError(`the input is ${known.dtype} already, and ${dtype} is asked for`, { value: name });
  }

  /** A parameter's present value. */
  value(parameter: string): Value {
    return this.values.get(parameter) ?? this.network.parameter(parameter).value;
  }

  /** A number that is computed before each step, in float64; one name is one input. */
  scalar(name: string, of: (inputs: StepInputs) => number, dtype: ScalarInput['dtype'] = 'float32'): Value {
    const known = this.graph.inputs.find(input => input.name === name);
    if (known) return known;
    this.scalars.push({ name, dtype, of });
    return this.graph.addInput(name, tensorType(dtype, []));
  }

  /**
   * A tensor of a unit's shape that is carried from step to step, under `name/` and the parameter's name in
   * checkpoints. Without a `next` it stays as it is, until somebody writes it between steps.
   * @param initial the tensor to begin with for a parameter; default zeros
   */
  state(name: string, unit: Unit, initial?: (parameter: string) => Tensor): State {
    const parts = partsOf(unit, name);
    const tensors = initial && unit.parameters.map(p => [`${name}/${p.name}`, initial(p.name)] as const);
    return this.addState(`${name}/${unit.name}`, unit.dims, parts, new Map(tensors));
  }

  /** A tensor of its own that is carried from step to step. */
  freeState(name: string, initial: Tensor): State {
    const part = { name, dims: initial.dims, offset: 0 };
    return this.addState(name, initial.dims, [part], new Map([[name, initial]]));
  }

  /**
   * A tensor of a unit's shape that can be asked of a step with `run.observe`, under `name/` and the parameter's name.
   * Steps that nobody asks pay nothing for it.
   */
  observable(name: string, unit: Unit, value: Value): void {
    this.observables.push({ observable: { dims: unit.dims, parts: partsOf(unit, name) }, value });
  }

  /** A scalar to be fetched at each step. */
  metric(name: string, value: Value): void {
    if (value.shape && sizeOf(value.fixedShape ?? [0]) !== 1) {
      throw new WhittleError(`a metric is one number, not of shape [${value.shape.join(', ')}]`, {
        value: name,
      });
    }
    this.metrics.set(name, value);
  }

  /** States declared so far, with what becomes of them. */
  get states(): readonly { slot: Omit<StateSlot, 'output'>; state: State }[] {
    return this.pending;
  }

  private addState(
    name: string,
    dims: readonly number[],
    parts: StateSlot['parts'],
    initial: ReadonlyMap<string, Tensor>,
  ): State {
    const value = this.graph.addInput(name, tensorType('float32', dims));
    const state: State = { value, next: undefined };
    this.pending.push({ slot: { input: value.name, dtype: 'float32', dims, parts, initial }, state });
    return state;
  }
}

function partsOf(unit: Unit, name: string): StatePart[] {
  let offset = 0;
  return unit.parameters.map(parameter => {
    const part = { name: `${name}/${parameter.name}`, dims: parameter.dims, offset };
    offset += parameterSize(parameter);
    return part;
  });
}

/** Makes a value an output of exactly this name. */
export function addOutput(context: StepContext, value: Value, name: string): string {
  const { b, graph } = context;
  // The value may be an input, a constant, or an output already.
  const free = value.producer && !graph.isOutput(value) ? value : b.op('Identity', [value]);
  graph.reserveNames([name]);
  return graph.addOutput(free, name).name;
}
