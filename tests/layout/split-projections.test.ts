import { expect, it } from 'vitest';
import { cloneModel } from '../../src/graph/clone.js';
import type { Model, Node } from '../../src/graph/index.js';
import { type Network, vit } from '../../src/nn/index.js';
import { createSession } from '../../src/runtime/index.js';
import { splitProjections } from '../../src/runtime/layout/index.js';
import { randomFeeds, stepOf } from './step.js';

const small = (): Network =>
  vit({ imageSize: 8, patchSize: 4, classes: 5, features: 12, depth: 2, heads: 3, training: true });

/** Splits along the features, which those of class token and patches are not. */
const featureSplits = ({ graph }: Model): Node[] =>
  [...graph.nodes].filter(
    node => node.opType === 'Split' && node.inputs[0]?.shape?.length === 3 && node.int('axis') !== 1,
  );

it('splits the weights of query, key and value instead of their activations', async () => {
  const model = stepOf(small(), [3, 3, 8, 8]);
  const copy = cloneModel(model);
  // Two blocks, forward and backward.
  expect(splitProjections(copy)).toBe(4);
  const feeds = randomFeeds(model, 5);
  const [before, after] = await Promise.all(
    [model, copy].map(async m => {
      const session = await createSession(m, { threads: 1 });
      const outputs = await session.run(feeds);
      await session.release();
      return outputs;
    }),
  );
  for (const name in before) {
    const [x, y] = [before[name]!.toFloat32(), after![name]!.toFloat32()];
    const scale = x.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-3);
    x.forEach((v, i) => {
      expect(Math.abs(v - y[i]!) / scale, name).toBeLessThan(1e-4);
    });
  }
});

it('splits no activation any more', () => {
  const model = stepOf(small(), [3, 3, 8, 8]);
  splitProjections(model);
  expect(featureSplits(model)).toEqual([]);
});

it('leaves what is split for another purpose alone', () => {
  const model = stepOf(small(), [3, 3, 8, 8]);
  const { graph } = model;
  const [first, second] = featureSplits(model);
  graph.addOutput(graph.op('Identity', [first!.inputs[0]!]), 'seen').type = first!.inputs[0]!.type;
  splitProjections(model);
  expect([...graph.nodes].includes(first!)).toBe(true);
  expect([...graph.nodes].includes(second!)).toBe(false);
});
