import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { typedBuilder } from '../../src/graph/autodiff/index.js';
import { Graph, Model, type Node, Tensor, tensorType, type Value } from '../../src/graph/index.js';
import { geluSlope } from '../../src/graph/ops/activation-gradient.js';
import type { Builder } from '../../src/graph/ops/builder.js';
import { Random } from '../../src/random/random.js';
import { evaluate } from '../../src/runtime/index.js';
import { tileRows } from '../../src/runtime/layout/tile-rows.js';

const DIMS = [6, 3, 8];
const LIMITS = { smallest: 500, tile: 200 };

type Body = (b: Builder, x: Value, g: Value) => Value[];

function build(body: Body, dims = DIMS): Model {
  const graph = new Graph();
  const model = new Model(graph);
  model.opsets.set('', 17);
  const [x, g] = ['x', 'g'].map(name => graph.addInput(name, tensorType('float32', dims))) as [Value, Value];
  for (const value of body(typedBuilder(model), x, g)) graph.addOutput(value);
  return model;
}

async function numbers(model: Model, dims = DIMS): Promise<Float32Array[]> {
  const random = new Random(2);
  const noise = (): Tensor =>
    Tensor.float32(
      dims,
      Float32Array.from({ length: dims.reduce((a, d) => a * d, 1) }, () => random.normal()),
    );
  const outputs = await evaluate(model, { x: noise(), g: noise() });
  return Object.values(outputs).map(tensor => tensor.toFloat32());
}

const count = (model: Model, test: (node: Node) => boolean): number =>
  [...model.graph.nodes].filter(test).length;

describe('tileRows', () => {
  it('computes the gradient of GELU in tiles, to the last digit', async () => {
    const body: Body = (b, x, g) => {
      const bias = b.constant(Tensor.float32([8], new Float32Array(8).fill(0.1)));
      const y = b.mul(g, geluSlope(b, b.add(x, bias)));
      return [b.mul(y, b.mean(y, [-1])), b.sum(x, [0, 1])];
    };
    const model = build(body);
    expect(tileRows(model, LIMITS)).toBe(1);
    expect(count(model, node => node.opType === 'Erf')).toBe(3);
    expect(count(model, node => node.opType === 'Concat')).toBe(1);
    expect(count(model, node => node.opType === 'ReduceSum')).toBe(1);
    expect(await numbers(model)).toEqual(await numbers(build(body)));
  });

  it('gives the same numbers for any chain', async () => {
    const step = fc.tuple(
      fc.constantFrom('Add', 'Mul', 'Sub', 'Tanh', 'Sigmoid', 'mean'),
      fc.nat({ max: 2 }),
      fc.nat(),
    );
    let tiled = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 14 }), fc.nat(), async (steps, kept) => {
        const body: Body = (b, x, g) => {
          const values = [x, g];
          for (const [op, back, other] of steps) {
            const last = values[Math.max(0, values.length - 1 - back)]!;
            if (op === 'mean') values.push(b.sub(last, b.mean(last, [-1])));
            else if (op === 'Tanh' || op === 'Sigmoid') values.push(b.op(op, [last]));
            else values.push(b.binary(op, last, values[other % values.length]!));
          }
          const last = values.at(-1)!;
          const second = values[2 + (kept % (values.length - 2))]!;
          return second === last ? [last] : [last, second];
        };
        const model = build(body);
        tiled += tileRows(model, LIMITS);
        expect(await numbers(model)).toEqual(await numbers(build(body)));
      }),
      { numRuns: 20 },
    );
    expect(tiled).toBeGreaterThan(0);
  });

  it.each<[string, Body, number[] | undefined]>([
    ['small tensors', (b, x, g) => [b.mul(g, geluSlope(b, x))], [6, 2, 8]],
    ['a single pass', (b, x, g) => [b.add(x, g)], undefined],
    [
      'what needs all rows at once',
      (b, x) => [b.op('CumSum', [b.op('Softmax', [x]), b.scalar(0, 'int64')])],
      undefined,
    ],
  ])('leaves alone %s', (_, body, dims) => {
    const model = build(body, dims);
    const nodes = [...model.graph.nodes];
    expect(tileRows(model, LIMITS)).toBe(0);
    expect([...model.graph.nodes]).toEqual(nodes);
  });
});
