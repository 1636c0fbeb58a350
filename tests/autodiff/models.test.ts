import { describe, expect, it } from 'vitest';
import { gradients, Tensor, tensorType, typedBuilder, type Value } from '../../src/graph/index.js';
import { bert, cifarResNet, gpt2, mlp, type Network, phi, resNet, vgg, vit } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession, type Session } from '../../src/runtime/index.js';
import { crossEntropy } from '../../src/train/losses.js';
import { Random } from './random.js';

const NETWORKS: Record<string, () => Network> = {
  mlp: () => mlp({ widths: [6, 5, 3], training: true }),
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

/** Every parameter as an input, the gradients and the loss as outputs. */
async function gradientCheck(network: Network): Promise<void> {
  const model = network.toModel();
  const { graph } = model;
  const random = new Random(1);
  const feeds: Record<string, Tensor> = {};
  for (const input of graph.inputs) {
    const dims = input.shape!.map(dim => (typeof dim === 'number' ? dim : (SIZES[dim!] ?? 2)));
    const size = dims.reduce((p, d) => p * d, 1);
    feeds[input.name] =
      input.dtype === 'int64'
        ? Tensor.int64(
            Array.from({ length: size }, () => (/mask/.test(input.name) ? 1 : random.integer(0, 1))),
            dims,
          )
        : Tensor.fromNumbers(input.dtype!, dims, random.normals(size));
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
  const shape = labels.shape!.map(dim => (typeof dim === 'number' ? dim : (SIZES[dim!] ?? 2)));
  feeds.labels = Tensor.int64(
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.integer(0, 2)),
    shape,
  );
  const loss = crossEntropy(b, logits, labels, { labelSmoothing: 0.1 });
  const found = gradients(model, loss, parameters);
  graph.outputs.length = 0;
  graph.addOutput(loss, 'loss');
  found.forEach((g, i) => graph.addOutput(b.op('Identity', [g]), `grad${i}`));
  const session = await createSession(encodeToBytes(model), { threads: 1 });
  const out = await session.run(feeds);
  // Along the gradient itself the loss changes most, so that float32 can measure it.
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
  // What the curvature, the kinks of ReLU and float32 leave.
  expect(limit / square).toBeCloseTo(1, 2);
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
  it.each(Object.entries(NETWORKS))('%s', async (_, make) => {
    await gradientCheck(make());
  });
});
