import { describe, expect, it } from 'vitest';
import {
  type Builder,
  gradients,
  type Model,
  type Shape,
  Tensor,
  tensorType,
  typedBuilder,
  type Value,
} from '../../src/graph/index.js';
import { bert, cifarResNet, gpt2, mlp, type Network, phi, resNet, vgg, vit } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession, type Session } from '../../src/runtime/index.js';
import { crossEntropy } from '../../src/train/losses.js';
import { Random } from './random.js';

const NETWORKS: Record<string, () => Network> = {
  mlp: () => mlp({ widths: [6, 5, 3], training: true }),
  'mlp, tanh': () => mlp({ widths: [6, 5, 3], activation: 'tanh', training: true }),
  resnet8: () => cifarResNet({ depth: 8, width: 0.25, classes: 3, imageSize: 8, training: true }),
  'resnet18, narrow': () => resNet({ depth: 18, width: 1 / 16, classes: 3, imageSize: 96, training: true }),
  'vgg11, narrow': () =>
    vgg({ depth: 11, width: 1 / 16, classes: 3, imageSize: 32, head: 'cifar', training: true }),
  vit: () => vit({ imageSize: 8, patchSize: 4, features: 8, depth: 1, heads: 2, classes: 3, training: true }),
  gpt2: () =>
    gpt2({ vocabulary: 11, features: 8, depth: 2, heads: 2, maxTokens: 6, training: true, dropout: 0 }),
  phi: () =>
    phi({
      vocabulary: 11,
      features: 32,
      depth: 1,
      heads: 2,
      rotaryFraction: 0.5,
      training: true,
      dropout: 0,
    }),
  bert: () =>
    bert({
      vocabulary: 11,
      features: 8,
      depth: 1,
      heads: 2,
      maxTokens: 6,
      training: true,
      dropout: 0,
      head: 'mlm',
    }),
};

const SIZES: Readonly<Record<string, number>> = { batch: 2, sequence: 5, tokens: 5, length: 5 };

interface Training {
  readonly model: Model;
  readonly b: Builder;
  readonly parameters: readonly Value[];
  readonly loss: Value;
  /** Values of all inputs, parameters included. */
  readonly feeds: Readonly<Record<string, Tensor>>;
}

const fixed = (shape: Shape): number[] =>
  shape.map(dim => (typeof dim === 'number' ? dim : (SIZES[dim!] ?? 2)));
const sizeOf = (dims: readonly number[]): number => dims.reduce((p, d) => p * d, 1);

/** A network with its loss, and every parameter as an input. */
function training(network: Network): Training {
  const model = network.toModel();
  const { graph } = model;
  const random = new Random(1);
  const feeds: Record<string, Tensor> = {};
  const integers = (dims: number[], high: number): Tensor =>
    Tensor.int64(
      Array.from({ length: sizeOf(dims) }, () => random.integer(0, high)),
      dims,
    );
  for (const input of graph.inputs) {
    const dims = fixed(input.shape!);
    if (input.dtype !== 'int64')
      feeds[input.name] = Tensor.fromNumbers(input.dtype!, dims, random.normals(sizeOf(dims)));
    else if (input.name.includes('mask'))
      feeds[input.name] = Tensor.int64(new Array<number>(sizeOf(dims)).fill(1), dims);
    else feeds[input.name] = integers(dims, 1);
  }
  const parameters: Value[] = [];
  for (const { value, trainable } of network.parameters.values()) {
    if (!trainable) continue;
    feeds[value.name] = value.initializer as Tensor;
    value.type = tensorType('float32', value.initializer!.dims);
    value.initializer = undefined;
    value.declared = true;
    graph.initializers.delete(value);
    graph.inputs.push(value);
    parameters.push(value);
  }
  const b = typedBuilder(model);
  const logits = graph.outputs[0]!;
  const labels = graph.addInput('labels', tensorType('int64', logits.shape!.slice(0, -1)));
  feeds.labels = integers(fixed(labels.shape!), 2);
  const loss = crossEntropy(b, logits, labels, { labelSmoothing: 0.1 });
  graph.outputs.length = 0;
  graph.addOutput(loss, 'loss');
  return { model, b, parameters, loss, feeds };
}

function addOutputs({ model, b }: Training, values: readonly Value[], prefix: string): void {
  values.forEach((value, i) => model.graph.addOutput(b.op('Identity', [value]), `${prefix}${i}`));
}

/** The slope of the loss along the gradient, where it changes most, so that float32 can measure it. */
async function checkAlongGradient(network: Network, tolerance: number): Promise<void> {
  const setup = training(network);
  const { model, parameters, loss, feeds } = setup;
  addOutputs(setup, gradients(model, loss, parameters), 'grad');
  const session = await createSession(encodeToBytes(model), { threads: 1 });
  const out = await session.run(feeds);
  let square = 0;
  parameters.forEach((value, i) => {
    const g = out[`grad${i}`]!;
    expect(g.dims).toEqual(feeds[value.name]!.dims);
    for (const v of g.toFloat32()) square += v * v;
  });
  const at = (step: number): Promise<number> => lossAlong(session, feeds, parameters, out, step);
  const slope = async (step: number): Promise<number> => ((await at(step)) - (await at(-step))) / (2 * step);
  const step = 0.001 / Math.sqrt(square);
  // Two differences, so that their errors of second order cancel (Richardson).
  const limit = (4 * (await slope(step / 2)) - (await slope(step))) / 3;
  await session.release();
  expect(square).toBeGreaterThan(0);
  expect(Math.abs(limit / square - 1)).toBeLessThan(tolerance);
}

/** The Hessian times a vector, against the difference of two gradients. */
async function checkHessian(network: Network): Promise<void> {
  const setup = training(network);
  const { model, b, parameters, loss, feeds } = setup;
  const first = gradients(model, loss, parameters);
  const random = new Random(2);
  const directions = parameters.map(({ name }) => {
    const { dims } = feeds[name]!;
    return Tensor.fromNumbers('float32', dims, random.normals(sizeOf(dims)));
  });
  const product = b.total(
    first.map((g, i) => b.op('ReduceSum', [b.mul(g, b.constant(directions[i]!))], { keepdims: 0 })),
  );
  const second = gradients(model, product, parameters);
  addOutputs(setup, first, 'grad');
  addOutputs(setup, second, 'hessian');
  const session = await createSession(encodeToBytes(model), { threads: 1 });
  const out = await session.run(feeds);
  const step = 3e-4;
  const moved = (sign: number): Record<string, Tensor> => ({
    ...feeds,
    ...Object.fromEntries(
      parameters.map(({ name }, i) => {
        const d = directions[i]!.toFloat32();
        const shifted = feeds[name]!.toFloat32().map((v, j) => v + sign * step * d[j]!);
        return [name, Tensor.float32(feeds[name]!.dims, shifted)];
      }),
    ),
  });
  const [ahead, behind] = [await session.run(moved(1)), await session.run(moved(-1))];
  await session.release();
  let [error, square] = [0, 0];
  parameters.forEach((_, i) => {
    const [h, plus, minus] = [out[`hessian${i}`]!, ahead[`grad${i}`]!, behind[`grad${i}`]!].map(t =>
      t.toFloat32(),
    );
    h!.forEach((v, j) => {
      const difference = (plus![j]! - minus![j]!) / (2 * step);
      error += (v - difference) ** 2;
      square += difference ** 2;
    });
  });
  expect(square).toBeGreaterThan(0);
  // What the differences of float32 gradients leave.
  expect(Math.sqrt(error / square)).toBeLessThan(5e-3);
}

/** The loss with every parameter moved by `step` times its gradient. */
async function lossAlong(
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
  parameters: readonly Value[],
  found: Readonly<Record<string, Tensor>>,
  step: number,
): Promise<number> {
  const moved = { ...feeds };
  parameters.forEach((value, i) => {
    const g = found[`grad${i}`]!.toFloat32();
    const x = feeds[value.name]!;
    const shifted = x.toFloat32().map((v, j) => v + step * g[j]!);
    moved[value.name] = Tensor.float32(x.dims, shifted);
  });
  return (await session.run(moved, ['loss'])).loss!.toFloat32()[0]!;
}

describe('whole networks with a batch of unknown size', () => {
  it.each(Object.entries(NETWORKS))('%s', async (name, make) => {
    // Float32 leaves little of a slope's digits, the kinks of ReLU fewer.
    await checkAlongGradient(make(), /resnet|vgg/.test(name) ? 5e-3 : 5e-4);
  });

  it.each(['mlp, tanh', 'vit', 'gpt2', 'phi'])('%s, twice', async name => {
    await checkHessian(NETWORKS[name]!());
  });
});
