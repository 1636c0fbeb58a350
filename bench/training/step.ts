import { gradients, typedBuilder } from '../../src/graph/autodiff/index.js';
import type { DType } from '../../src/graph/dtype.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import type { Model } from '../../src/graph/model.js';
import type { Builder } from '../../src/graph/ops/builder.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType, type Value } from '../../src/graph/value.js';
import type { Network } from '../../src/nn/network.js';
import { crossEntropy } from '../../src/train/losses.js';

export type Optimizer = 'sgd' | 'adamw';

export interface StepOptions {
  readonly optimizer: Optimizer;
  /** Shape of the network's one input. */
  readonly inputShape: readonly number[];
  /** Shape of the labels, int64. */
  readonly labelShape: readonly number[];
}

/** A training step: everything that it reads and writes but the data is state. */
export interface TrainingStep {
  readonly model: Model;
  /** Initial state by input; the output of the same name with `.next` is its successor. */
  readonly state: ReadonlyMap<string, Tensor>;
  readonly data: { readonly name: string; readonly dtype: DType; readonly dims: readonly number[] }[];
}

/** Forward, loss, backward and update of every trainable parameter as one graph, with standard operators. */
export function trainingStep(network: Network, options: StepOptions): TrainingStep {
  const { graph } = network;
  const model = network.toModel();
  model.opsets.set('com.microsoft', 1);
  const input = graph.inputs[0]!;
  const logits = graph.outputs[0]!;
  graph.outputs.length = 0;
  const state = new Map<string, Tensor>();
  const asInput = (value: Value): void => {
    state.set(value.name, value.initializer as Tensor);
    value.initializer = undefined;
    value.declared = true;
    graph.initializers.delete(value);
    graph.inputs.push(value);
  };
  const parameters = [...network.parameters.values()];
  for (const { value } of parameters) asInput(value);
  const labels = graph.addInput('labels', tensorType('int64', options.labelShape));
  inferShapes(model, { inputShapes: { [input.name]: options.inputShape } });
  const b = typedBuilder(model);
  const loss = crossEntropy(b, logits, labels);
  graph.addOutput(loss, 'loss');
  const trainable = parameters.filter(p => p.trainable).map(p => p.value);
  const found = gradients(model, loss, trainable);
  const update = new Updates(b, state);
  trainable.forEach((value, i) => {
    if (options.optimizer === 'sgd') update.sgd(value, found[i]!);
    else update.adamW(value, found[i]!);
  });
  for (const [name, value] of network.updates) graph.addOutput(value, `${name}.next`);
  return {
    model,
    state,
    data: [
      { name: input.name, dtype: input.dtype!, dims: options.inputShape },
      { name: 'labels', dtype: 'int64', dims: options.labelShape },
    ],
  };
}

/** The optimizers of the benchmark, as PyTorch defines them. Rates are inputs, since they follow schedules. */
class Updates {
  private readonly b: Builder;
  private readonly state: Map<string, Tensor>;
  private readonly scalars: Map<string, Value> = new Map();

  constructor(b: Builder, state: Map<string, Tensor>) {
    this.b = b;
    this.state = state;
  }

  /** v ← 0.9 v + g + 5e-4 w, w ← w − rate v */
  sgd(weight: Value, gradient: Value): void {
    const { b } = this;
    const velocity = this.memory(weight, 'velocity');
    const decayed = b.add(gradient, b.mul(weight, 5e-4));
    const next = b.add(b.mul(velocity, 0.9), decayed);
    this.write(velocity, next);
    this.write(weight, b.sub(weight, b.mul(next, this.scalar('rate', 0.01))));
  }

  /** Loshchilov and Hutter, 2019; corrections of the bias come as inputs. */
  adamW(weight: Value, gradient: Value): void {
    const { b } = this;
    const [first, second] = [this.memory(weight, 'first'), this.memory(weight, 'second')];
    const m = b.add(b.mul(first, 0.9), b.mul(gradient, 0.1));
    const v = b.add(b.mul(second, 0.999), b.mul(b.square(gradient), 0.001));
    const root = b.add(b.mul(b.sqrt(v), this.scalar('second_correction', 1)), 1e-8);
    const step = b.div(b.mul(m, this.scalar('rate', 3e-4)), root);
    this.write(first, m);
    this.write(second, v);
    this.write(weight, b.sub(b.mul(weight, this.scalar('keep', 1 - 3e-6)), step));
  }

  private memory(weight: Value, name: string): Value {
    const dims = weight.fixedShape!;
    const value = this.b.graph.addInput(`${weight.name}.${name}`, tensorType('float32', dims));
    this.state.set(
      value.name,
      Tensor.float32(dims, new Float32Array(dims.reduce((product, dim) => product * dim, 1))),
    );
    return value;
  }

  private scalar(name: string, initial: number): Value {
    let value = this.scalars.get(name);
    if (!value) {
      value = this.b.graph.addInput(name, tensorType('float32', []));
      this.scalars.set(name, value);
      this.state.set(name, Tensor.scalar(initial));
    }
    return value;
  }

  private write(old: Value, next: Value): void {
    this.b.graph.addOutput(next, `${old.name}.next`);
  }
}
