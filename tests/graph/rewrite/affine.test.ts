import { describe, expect, it } from 'vitest';
import { Graph, Model, Tensor, tensorType, type Value } from '../../../src/graph/index.js';
import { foldAffine, fuseHardSigmoid } from '../../../src/graph/rewrite/index.js';
import { Random } from '../../../src/random/random.js';
import { createSession } from '../../../src/runtime/index.js';

const random = new Random(3);
const some = (dims: readonly number[], low = 0.5) =>
  Tensor.float32(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => low + random.uniform()),
  );

function model(build: (g: Graph, x: Value) => Value, opset = 17): Model {
  const graph = new Graph('test');
  const x = graph.addInput('x', tensorType('float32', [2, 6, 7, 5]));
  graph.addOutput(build(graph, x), 'y');
  const result = new Model(graph);
  result.opsets.set('', opset);
  result.irVersion = 8;
  return result;
}

const X = Tensor.float32(
  [2, 6, 7, 5],
  Float32Array.from({ length: 420 }, () => 8 * random.uniform() - 4),
);

async function run(m: Model): Promise<Float32Array> {
  const session = await createSession(m, { threads: 1 });
  const { y } = await session.run({ x: X });
  await session.release();
  return y!.toFloat32();
}

async function expectSame(build: (g: Graph, x: Value) => Value, count: number, left: string[], opset = 17) {
  const m = model(build, opset);
  const before = await run(m);
  expect(fuseHardSigmoid(m.graph) + foldAffine(m.graph)).toBe(count);
  expect([...m.graph.nodes].map(({ opType }) => opType)).toEqual(left);
  const after = await run(m);
  const size = Math.max(...before.map(Math.abs));
  const off = Math.max(...before.map((v, i) => Math.abs(v - after[i]!)));
  expect(off).toBeLessThan(1e-5 * size);
}

const conv = (
  g: Graph,
  x: Value,
  attributes: Record<string, number | number[]> = {},
  weight = [4, 6, 3, 3],
) => g.op('Conv', [x, g.constant(some(weight)), g.constant(some([weight[0]!]))], attributes);

describe('foldAffine', () => {
  it('folds what follows a convolution, by channel and by one number', () =>
    expectSame(
      (g, x) => {
        let y = g.op('Mul', [g.constant(some([])), conv(g, x)]);
        y = g.op('Add', [y, g.constant(some([1, 4, 1, 1]))]);
        y = g.op('Sub', [g.constant(some([4, 1, 1])), y]);
        y = g.op('Div', [y, g.constant(some([1]))]);
        return g.op('BatchNormalization', [y, ...[1, 2, 3, 4].map(() => g.constant(some([4])))]);
      },
      5,
      ['Conv'],
    ));

  it('folds factors and shifts before one, in groups too', () =>
    expectSame(
      (g, x) => {
        const scaled = g.op('Mul', [x, g.constant(some([1, 6, 1, 1]))]);
        const shifted = g.op('Add', [scaled, g.constant(some([6, 1, 1]))]);
        return conv(g, shifted, { group: 2 }, [4, 3, 3, 3]);
      },
      2,
      ['Conv'],
    ));

  it('keeps a shift where there is padding, and takes the factor', () =>
    expectSame(
      (g, x) => {
        const scaled = g.op('Mul', [x, g.constant(some([]))]);
        return conv(g, g.op('Add', [scaled, g.constant(some([]))]), { pads: [1, 1, 1, 1] });
      },
      1,
      ['Conv', 'Add'],
    ));

  it('leaves alone what others see, and what lies along another axis', async () => {
    await expectSame(
      (g, x) => {
        const y = conv(g, x, { pads: [1, 1, 1, 1] }, [6, 6, 3, 3]);
        return g.op('Add', [g.op('Mul', [y, g.constant(some([]))]), y]);
      },
      0,
      ['Conv', 'Mul', 'Add'],
    );
    await expectSame((g, x) => g.op('Add', [conv(g, x), g.constant(some([1, 3]))]), 0, ['Conv', 'Add']);
    await expectSame((g, x) => g.op('Div', [g.constant(some([], 3)), conv(g, x)]), 0, ['Conv', 'Div']);
  });
});

describe('fuseHardSigmoid', () => {
  const number = (g: Graph, value: number) => g.constant(Tensor.scalar(value));
  const clip = (g: Graph, x: Value, opset: number, low = 0, high = 6) => {
    const sum = g.op('Add', [x, number(g, 3)]);
    return opset < 11
      ? g.op('Clip', [sum], { min: low, max: high })
      : g.op('Clip', [sum, number(g, low), number(g, high)]);
  };

  it.each([9, 17])('finds hard swish and hard sigmoid, opset %i', async opset => {
    const gated = (g: Graph, x: Value) => g.op('Mul', [x, clip(g, x, opset)]);
    await expectSame((g, x) => g.op('Div', [gated(g, x), number(g, 6)]), 1, ['HardSigmoid', 'Mul'], opset);
    await expectSame(
      (g, x) => g.op('Mul', [gated(g, x), number(g, 1 / 6)]),
      1,
      ['HardSigmoid', 'Mul'],
      opset,
    );
    await expectSame((g, x) => g.op('Div', [clip(g, x, opset), number(g, 6)]), 1, ['HardSigmoid'], opset);
  });

  it('leaves other bounds and divisors alone', async () => {
    const others = ['Add', 'Clip', 'Div'];
    await expectSame((g, x) => g.op('Div', [clip(g, x, 17, -1), number(g, 6)]), 0, others);
    await expectSame((g, x) => g.op('Div', [clip(g, x, 17), number(g, 5)]), 0, others);
    await expectSame((g, x) => g.op('Div', [number(g, 6), clip(g, x, 17, 1, 6)]), 0, others);
  });
});
