import { gradients, typedBuilder } from '../../graph/autodiff/index.js';
import { isFloat } from '../../graph/dtype.js';
import type { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import type { Builder } from '../../graph/ops/builder.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import { tensorType, type Value } from '../../graph/value.js';
import { createSession, type Session, type Tensors } from '../../runtime/index.js';
import { layoutPass } from '../../runtime/layout/index.js';
import { fixSizes } from '../../train/step/sizes.js';
import { isWeight, trainable, type WeightSelector } from '../../train/trainable.js';

/** Numbers near zero are as large as this share of their tensor’s root mean square. */
const LEAST_SIZE = 0.02;

/** One parameter with its moments. */
interface Slot {
  readonly name: string;
  readonly tensor: Tensor;
  readonly gradient: string;
  readonly value: Float32Array;
  readonly sum: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Root mean square at the start. */
  readonly size: number;
}

/** The compressed model with its loss and gradients as outputs, its parameters and the original's outputs as inputs. */
export class DistillationStep {
  private readonly session: Session;
  private readonly slots: readonly Slot[];
  private readonly targets: ReadonlyMap<string, string>;
  private readonly lossName: string;
  private feeds: Tensors = {};
  private updates = 0;

  private constructor(
    session: Session,
    slots: readonly Slot[],
    targets: ReadonlyMap<string, string>,
    lossName: string,
  ) {
    this.session = session;
    this.slots = slots;
    this.targets = targets;
    this.lossName = lossName;
    this.refresh();
  }

  static async create(
    compressed: Model,
    targets: ReadonlyMap<Tensors, Tensors>,
    {
      select = isWeight,
      threads,
    }: { readonly select?: WeightSelector; readonly threads?: number | undefined },
  ): Promise<DistillationStep> {
    const { model, parameters } = trainable(compressed, select);
    const { graph } = model;
    fixSizes(graph, sizesOf(graph, [...targets.keys()]));
    const outputs = graph.outputs.filter(({ dtype }) => isFloat(dtype ?? 'float32'));
    const inputs = new Map<string, string>();
    const b = typedBuilder(model);
    const losses = outputs.map(output => {
      const target = graph.addInput(`${output.name}_target`, tensorType('float32', output.shape));
      inputs.set(output.name, target.name);
      return lossOf(
        b,
        output,
        target,
        [...targets.values()].map(t => t[output.name]!),
      );
    });
    const loss = b.total(losses);
    const values = [...parameters.values()].map(({ value }) => value);
    const found = gradients(model, loss, values);
    graph.outputs.length = 0;
    graph.addOutput(loss);
    const slots = [...parameters].map(([name, { tensor }], i): Slot => {
      const value = Float32Array.from(tensor.toFloat32());
      const blank = () => new Float32Array(value.length);
      const gradient = graph.addOutput(found[i]!).name;
      return {
        name,
        tensor,
        gradient,
        value,
        sum: blank(),
        first: blank(),
        second: blank(),
        size: rms(value),
      };
    });
    graph.sort();
    const options = threads === undefined ? {} : { threads };
    (await layoutPass(options))({ model });
    const session = await createSession(model, options);
    return new DistillationStep(session, slots, inputs, loss.name);
  }

  async loss(sample: Tensors, outputs: Tensors): Promise<number> {
    const results = await this.session.run(this.feedsFor(sample, outputs), [this.lossName]);
    return results[this.lossName]!.toNumbers()[0]!;
  }

  async accumulate(sample: Tensors, outputs: Tensors): Promise<void> {
    const results = await this.session.run(this.feedsFor(sample, outputs));
    for (const { gradient, sum } of this.slots) {
      const values = results[gradient]!.toFloat32();
      for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!;
    }
  }

  /** An Adam step on the mean gradient of `count` samples. */
  update(count: number, rate: number, relativeTo: 'number' | 'tensor'): void {
    const [beta1, beta2] = [0.9, 0.99];
    this.updates++;
    const [fix1, fix2] = [1 - beta1 ** this.updates, 1 - beta2 ** this.updates];
    for (const { value, sum, first, second, size } of this.slots) {
      for (let i = 0; i < value.length; i++) {
        const g = sum[i]! / count;
        first[i] = beta1 * first[i]! + (1 - beta1) * g;
        second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
        const root = Math.sqrt(second[i]! / fix2);
        if (root === 0) continue;
        const own = Math.min(size, Math.max(Math.abs(value[i]!), LEAST_SIZE * size));
        value[i]! -= (rate * (relativeTo === 'tensor' ? size : own) * first[i]!) / fix1 / root;
      }
      sum.fill(0);
    }
    this.refresh();
  }

  snapshot(): Record<string, Tensor> {
    return Object.fromEntries(
      this.slots.map(({ name, tensor, value }) => [
        name,
        Tensor.fromNumbers(tensor.dtype, tensor.dims, Float32Array.from(value)),
      ]),
    );
  }

  private refresh(): void {
    this.feeds = this.snapshot();
  }

  private feedsFor(sample: Tensors, outputs: Tensors): Tensors {
    const expected = [...this.targets].map(([output, input]) => [input, outputs[output]!] as const);
    return { ...sample, ...this.feeds, ...Object.fromEntries(expected) };
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** Open sizes of the inputs that are the same in all samples, by name: with them the step can be laid out beforehand. */
function sizesOf({ inputs }: Graph, samples: readonly Tensors[]): Record<string, number> {
  const sizes = new Map<string, Set<number>>();
  for (const { name, shape } of inputs) {
    shape?.forEach((dim, axis) => {
      if (typeof dim !== 'string') return;
      const seen = sizes.get(dim) ?? new Set();
      for (const sample of samples) seen.add(sample[name]?.dims[axis] ?? Number.NaN);
      sizes.set(dim, seen);
    });
  }
  return Object.fromEntries(
    [...sizes].flatMap(([dim, seen]) => {
      const [size] = seen;
      return seen.size === 1 && size! > 0 ? [[dim, size!] as const] : [];
    }),
  );
}

/** Cross-entropy for probabilities, else the squared error over the variance; the mean over the elements. */
function lossOf(b: Builder, output: Value, target: Value, outputs: readonly Tensor[]): Value {
  if (output.producer?.opType === 'Softmax') {
    const log = b.op('Log', [b.binary('Max', output, 1e-10)]);
    const rows = outputs[0]!.size / (outputs[0]!.dims.at(-1) ?? 1);
    return b.mul(b.neg(total(b, b.mul(target, log))), 1 / rows);
  }
  let sum = 0;
  let squares = 0;
  let count = 0;
  for (const tensor of outputs) {
    for (const value of tensor.toFloat32()) {
      sum += value;
      squares += value * value;
      count++;
    }
  }
  const variance = Math.max((squares - sum ** 2 / count) / count, 1e-30);
  const elements = sizeOf(outputs[0]!.dims);
  return b.mul(total(b, b.square(b.sub(output, target))), 1 / (variance * elements));
}

const total = (b: Builder, x: Value): Value => b.op('ReduceSum', [x], { keepdims: 0 });

const rms = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / Math.max(1, values.length));
