import { describe, expect, it } from 'vitest';
import {
  type Builder,
  Graph,
  gradients,
  Model,
  Tensor,
  typedBuilder,
  type Value,
} from '../../src/graph/index.js';
import { upgradeOpset } from '../../src/onnx/index.js';
import { evaluate } from '../../src/runtime/index.js';
import { trainable } from '../../src/train/index.js';

const SOFTMAX = [0, 1, 2, 3].map(v => Math.exp(v) / [0, 1, 2, 3].reduce((sum, w) => sum + Math.exp(w), 0));

/** Operators whose gradients add up what they scatter, which operator set 16 brought; all of a weight (3, 4). */
const PICKS: Readonly<Record<string, { build: (b: Builder, w: Value) => Value; gradient: number[] }>> = {
  MaxPool: {
    build: (b, w) =>
      b.squeeze(b.op('MaxPool', [b.unsqueeze(w, [0, 1])], { kernel_shape: [2, 2], strides: [1, 2] }), [0, 1]),
    gradient: [0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1],
  },
  Gather: {
    build: (b, w) => b.op('Gather', [w, b.ints([0, 2, 2])]),
    gradient: [1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2],
  },
  GatherElements: {
    build: (b, w) => b.op('GatherElements', [w, b.reshape(b.ints([0, 2, 2]), [1, 3])]),
    gradient: [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0],
  },
  GatherND: {
    build: (b, w) => b.op('GatherND', [w, b.reshape(b.ints([0, 1, 0, 1]), [2, 2])]),
    gradient: [0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  },
  Compress: {
    build: (b, w) => b.op('Compress', [w, b.cast(b.ints([0, 1, 1]), 'bool')], { axis: 0 }),
    gradient: [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
  },
  SoftmaxCrossEntropyLoss: {
    build: (b, w) => b.op('SoftmaxCrossEntropyLoss', [w, b.ints([0, 2, 2])], { reduction: 'sum' }),
    // Each row is 0, 1, 2, 3 and some: the softmax less the label.
    gradient: [0, 2, 2].flatMap(label => SOFTMAX.map((probability, i) => probability - Number(i === label))),
  },
};

function model(opset: number, build: (b: Builder, w: Value) => Value): Model {
  const made = new Model(new Graph());
  made.opsets = new Map([['', opset]]);
  const b = typedBuilder(made);
  const w = made.graph.constant(
    Tensor.float32(
      [3, 4],
      Array.from({ length: 12 }, (_, i) => i),
    ),
    'w',
  );
  made.graph.addOutput(build(b, w), 'y');
  return made;
}

describe('models of operator sets before 16', () => {
  for (const opset of [13, 14, 15]) {
    it.each(Object.entries(PICKS))(`are raised: %s, ${opset}`, async (_, { build, gradient }) => {
      const old = model(opset, build);
      const [y] = old.graph.outputs;
      expect(() => gradients(old, y!, [...old.graph.initializers])).toThrow(
        /operator set 16 or newer.*trainable\(model\).*upgradeOpset/s,
      );

      const opened = trainable(old, ({ name }) => name === 'w');
      expect(opened.model.opset).toBe(17);
      const { value, tensor } = opened.parameters.get('w')!;
      compare(await byWeight(opened.model, value, { w: tensor }), gradient);

      upgradeOpset(old, 16);
      const weight = [...old.graph.initializers].find(({ name }) => name === 'w')!;
      compare(await byWeight(old, weight, {}), gradient);
    });
  }
});

async function byWeight(of: Model, weight: Value, feeds: Record<string, Tensor>): Promise<number[]> {
  const [gradient] = gradients(of, of.graph.outputs[0]!, [weight]);
  of.graph.outputs.length = 0;
  of.graph.addOutput(gradient!, 'gradient');
  of.graph.sort();
  return [...(await evaluate(of, feeds)).gradient!.toFloat32()];
}

function compare(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  found.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 5);
  });
}
