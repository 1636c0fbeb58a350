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
const LIMITS = { smallest: 500, tile: 200, call: 0 };

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

const opTypes = (nodes: Iterable<Node>): string[] => [...nodes].map(node => node.opType);

/** The operators that are computed in tiles, chain by chain. */
const tiled = (model: Model): string[][] =>
  [...model.graph.nodes].flatMap(node => node.subgraphs.map(body => opTypes(body.nodes)));

describe('tileRows', () => {
  it('computes the gradient of GELU in tiles, to the last digit', async () => {
    const body: Body = (b, x, g) => {
      const bias = b.constant(Tensor.float32([8], new Float32Array(8).fill(0.1)));
      const y = b.mul(g, geluSlope(b, b.add(x, bias)));
      return [b.mul(y, b.mean(y, [-1])), b.sum(x, [0, 1])];
    };
    const model = build(body);
    expect(tileRows(model, LIMITS)).toBe(1);
    expect(tiled(model)[0]).toContain('Erf');
    expect(opTypes(model.graph.nodes)).not.toContain('Erf');
    expect(opTypes(model.graph.nodes)).toContain('ReduceSum');
    expect(await numbers(model)).toEqual(await numbers(build(body)));
  });

  it('computes an attention between its projections in tiles', async () => {
    const dims = [6, 4, 8];
    const heads = (b: Builder, x: Value, perm: number[]): Value =>
      b.transpose(b.reshape(x, [6, 4, 2, 4]), perm);
    const body: Body = (b, x, g) => {
      const scores = b.mul(b.matmul(heads(b, x, [0, 2, 1, 3]), heads(b, g, [0, 2, 3, 1])), 0.5);
      const weights = b.op('Softmax', [scores]);
      const parts = b.matmul(weights, heads(b, b.add(x, g), [0, 2, 1, 3]));
      return [b.reshape(b.transpose(parts, [0, 2, 1, 3]), dims), weights];
    };
    const model = build(body, dims);
    expect(tileRows(model, { ...LIMITS, smallest: 1 })).toBe(1);
    expect(tiled(model)[0]).toEqual(expect.arrayContaining(['Reshape', 'Transpose', 'MatMul', 'Softmax']));
    expect(await numbers(model, dims)).toEqual(await numbers(build(body, dims), dims));
  });

  it('computes what an update does besides, and random roundings, in the same tiles', async () => {
    const body: Body = (b, x, g) => {
      const next = b.sub(x, b.mul(b.op('Sum', [g, b.mul(x, 0.1), b.mul(g, x)]), 0.5));
      const limit = b.scalar(0.3);
      const soft = b.sub(next, b.op('Clip', [next, b.neg(limit), limit]));
      const random = (dims: number[], from: number): Value => {
        const bits = Uint32Array.from(
          { length: dims.reduce((p, d) => p * d, 1) },
          (_, i) => (from + i) * 2654435761,
        );
        return b.constant(Tensor.from('uint32', dims, bits));
      };
      const least = b.op('ReduceMin', [next], { axes: [-1] });
      const scale = b.binary('Max', b.div(b.neg(least), 7), 1e-6);
      const rounded = b.mul(b.op('Round', [b.div(next, scale)]), scale);
      const bits = b.mul(random([6, 1, 1], 3), random([8], 70));
      const kept = b.binary('GreaterOrEqual', bits, b.scalar(2 ** 31, 'uint32'));
      return [soft, b.where(kept, next, rounded)];
    };
    const model = build(body);
    expect(tileRows(model, LIMITS)).toBe(1);
    const all = ['Sum', 'Clip', 'ReduceMin', 'Round', 'GreaterOrEqual', 'Where'];
    expect(tiled(model)[0]).toEqual(expect.arrayContaining(all));
    expect(opTypes(model.graph.nodes).filter(type => all.includes(type))).toEqual([]);
    expect(await numbers(model)).toEqual(await numbers(build(body)));
  });

  it('keeps apart what something else lies between', async () => {
    const body: Body = (b, x, g) => {
      const sum = b.add(b.mul(x, g), g);
      const scale = b.constant(Tensor.float32([8], new Float32Array(8).fill(1)));
      const normal = b.op('LayerNormalization', [sum, scale, scale]);
      const total = b.op('CumSum', [b.mul(normal, normal), b.scalar(0, 'int64')]);
      return [b.mul(b.op('Tanh', [b.add(total, sum)]), b.mul(total, g))];
    };
    const model = build(body);
    expect(tileRows(model, LIMITS)).toBe(2);
    expect(await numbers(model)).toEqual(await numbers(build(body)));
  });

  it('follows what the bodies of other nodes read', async () => {
    const body: Body = (b, x, g) => {
      const product = b.mul(x, g);
      const branch = (total: number): Graph => {
        const inner = new Graph('branch');
        inner.addOutput(inner.op('CumSum', [product, b.scalar(total, 'int64')]));
        inner.outputs[0]!.type = product.type;
        return inner;
      };
      const condition = b.binary('Greater', b.sum(x, [0, 1, 2]), 0);
      const branches = { then_branch: branch(0), else_branch: branch(1) };
      const chosen = b.graph.op('If', [condition], branches);
      chosen.type = product.type;
      return [b.add(b.op('Tanh', [product]), b.mul(chosen, b.op('Sigmoid', [product])))];
    };
    const model = build(body);
    expect(tileRows(model, LIMITS)).toBe(1);
    expect(await numbers(model)).toEqual(await numbers(build(body)));
  });

  it('gives the same numbers for any chain', async () => {
    const step = fc.tuple(
      fc.constantFrom('Add', 'Mul', 'Sub', 'Tanh', 'Sigmoid', 'mean', 'Softmax', 'CumSum'),
      fc.nat({ max: 2 }),
      fc.nat(),
    );
    let found = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 14 }), fc.nat(), async (steps, kept) => {
        const body: Body = (b, x, g) => {
          const values = [x, g];
          for (const [op, back, other] of steps) {
            const last = values[Math.max(0, values.length - 1 - back)]!;
            if (op === 'mean') values.push(b.sub(last, b.mean(last, [-1])));
            else if (op === 'CumSum') values.push(b.op(op, [last, b.scalar(0, 'int64')]));
            else if (['Tanh', 'Sigmoid', 'Softmax'].includes(op)) values.push(b.op(op, [last]));
            else values.push(b.binary(op, last, values[other % values.length]!));
          }
          const last = values.at(-1)!;
          const second = values[2 + (kept % (values.length - 2))]!;
          return second === last ? [last] : [last, second];
        };
        const model = build(body);
        found += tileRows(model, LIMITS);
        expect(await numbers(model)).toEqual(await numbers(build(body)));
      }),
      { numRuns: 20 },
    );
    expect(found).toBeGreaterThan(0);
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
