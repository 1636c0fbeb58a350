import { cloneModel } from '../../src/graph/clone.js';
import { gradients, type Model, Tensor, typedBuilder } from '../../src/graph/index.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { sizeOf } from '../../src/graph/tensor.js';
import type { Network } from '../../src/nn/index.js';
import { Random } from '../../src/random/random.js';
import { createSession } from '../../src/runtime/index.js';
import { blockedLayout } from '../../src/runtime/layout/index.js';
import { crossEntropy } from '../../src/train/losses.js';

/** One step of plain gradient descent, w − g, on standard operators; parameters and buffers are inputs. */
export function stepOf(network: Network, inputShape: readonly number[]): Model {
  const model = network.toModel();
  const { graph } = model;
  const [input] = graph.inputs;
  const [logits] = graph.outputs.splice(0);
  for (const { value } of network.parameters.values()) {
    graph.initializers.delete(value);
    value.initializer = undefined;
    value.declared = true;
    graph.inputs.push(value);
  }
  const labels = graph.addInput('labels', { kind: 'tensor', dtype: 'int64', shape: [inputShape[0]!] });
  inferShapes(model, { inputShapes: { [input!.name]: inputShape } });
  const b = typedBuilder(model);
  const loss = graph.addOutput(crossEntropy(b, logits!, labels), 'loss');
  const learned = [...network.parameters.values()].filter(p => p.trainable).map(p => p.value);
  // The input too, so that every convolution has an input gradient.
  const found = gradients(model, loss, [...learned, input!]);
  learned.forEach((weight, i) => {
    graph.addOutput(b.sub(weight, found[i]!), `${weight.name}.next`);
  });
  graph.addOutput(found.at(-1)!, 'input.gradient');
  for (const [name, next] of network.updates) graph.addOutput(next, `${name}.next`);
  return model;
}

/**
 * Random feeds for a model: floats around 0, around 1 for scales and variances, labels below `classes`. Weights keep
 * away from 0, where BatchNorm would amplify rounding.
 */
export function randomFeeds(model: Model, classes: number, seed = 1): Record<string, Tensor> {
  const random = new Random(seed);
  return Object.fromEntries(
    model.graph.inputs.map(({ name, dtype, fixedShape }) => {
      const dims = fixedShape!;
      const values = Array.from({ length: sizeOf(dims) }, () => random.uniform());
      if (dtype === 'int64')
        return [
          name,
          Tensor.int64(
            values.map(v => Math.floor(v * classes)),
            dims,
          ),
        ];
      const fanIn = dims.length > 1 ? sizeOf(dims.slice(1)) : 1;
      const positive = dims.length === 1 && !name.endsWith('bias') && !name.endsWith('mean');
      const spread = name.includes('weight') && fanIn > 1 ? 1 / Math.sqrt(fanIn) : 1;
      const weight = name.includes('weight');
      const around = (v: number): number => (weight ? Math.sign(v) * (1 + Math.abs(v)) : v) * spread;
      const data = values.map(v => (positive ? 0.5 + v : around(2 * v - 1)));
      return [name, Tensor.float32(dims, data)];
    }),
  );
}

/** Largest difference of any output, relative to the output's largest magnitude, between a model and its rewriting. */
export async function worstDifference(
  model: Model,
  feeds: Record<string, Tensor>,
  block: number,
): Promise<{ worst: number; output: string; rewritten: number }> {
  const copy = cloneModel(model);
  const rewritten = blockedLayout(copy, { block });
  const [expected, actual] = await Promise.all([run(model, feeds), run(copy, feeds)]);
  let result = { worst: 0, output: '', rewritten };
  for (const name in expected) {
    const [x, y] = [expected[name]!.toFloat32(), actual[name]!.toFloat32()];
    if (expected[name]!.dims.join() !== actual[name]!.dims.join())
      throw new Error(`${name} changed its shape`);
    const scale = x.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-3);
    const worst = x.reduce((most, v, i) => Math.max(most, Math.abs(v - y[i]!)), 0) / scale;
    // NaN is no small difference.
    if (!(worst <= result.worst)) result = { worst, output: name, rewritten };
  }
  return result;
}

async function run(model: Model, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await createSession(model, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
