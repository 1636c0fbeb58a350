import { afterAll, describe, expect, it } from 'vitest';
import {
  customGradient,
  Graph,
  gradients,
  Model,
  stopGradient,
  straightThrough,
  Tensor,
  tensorType,
  typedBuilder,
  type Value,
} from '../../src/graph/index.js';
import { evaluate, releaseEvaluated } from '../../src/runtime/index.js';
import { checkGradients } from './check.js';
import { Random } from './random.js';

afterAll(releaseEvaluated);

/** What the gradients are where every input holds the given numbers. */
async function run(
  graph: Graph,
  found: readonly Value[],
  feeds: Record<string, number[]>,
): Promise<number[][]> {
  const b = typedBuilder(graph);
  const names = found.map((g, i) => graph.addOutput(b.op('Identity', [g]), `result${i}`).name);
  const out = await evaluate(
    new Model(graph),
    Object.fromEntries(Object.entries(feeds).map(([name, x]) => [name, Tensor.float32([x.length], x)])),
  );
  return names.map(name => Array.from(out[name]!.toFloat32()));
}

function inputs(...names: string[]): { graph: Graph; values: Value[] } {
  const graph = new Graph();
  return { graph, values: names.map(name => graph.addInput(name, tensorType('float32', [2]))) };
}

describe('reverse-mode differentiation', () => {
  it('adds up what flows back along several paths', async () => {
    const {
      graph,
      values: [x],
    } = inputs('x');
    const doubled = graph.op('Add', [x!, x!]);
    const y = graph.op('Sum', [doubled, graph.op('Mul', [doubled, x!]), x!]); // 3x + 2x²
    const found = gradients(graph, y, [x!]);
    expect(await run(graph, found, { x: [1, -2] })).toEqual([[7, -5]]);
  });

  it('gives zeros for what the loss does not depend on, and ones for the loss', async () => {
    const {
      graph,
      values: [x, y],
    } = inputs('x', 'y');
    const loss = graph.op('Exp', [x!]);
    const found = gradients(graph, loss, [y!, loss]);
    expect(await run(graph, found, { x: [1, 2], y: [5, 5] })).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  it('differentiates by values inside of the graph, totally', async () => {
    const {
      graph,
      values: [x],
    } = inputs('x');
    const squared = graph.op('Mul', [x!, x!]);
    const loss = graph.op('Mul', [squared, x!]); // by x: 3x², by x² alone: x
    expect(await run(graph, gradients(graph, loss, [x!, squared]), { x: [2, 3] })).toEqual([
      [12, 27],
      [2, 3],
    ]);
  });

  it('starts from a given gradient', async () => {
    const {
      graph,
      values: [x, g],
    } = inputs('x', 'g');
    const y = graph.op('Mul', [x!, x!]);
    expect(await run(graph, gradients(graph, y, [x!], { seed: g! }), { x: [2, 3], g: [10, 1] })).toEqual([
      [40, 6],
    ]);
  });

  it('stops at integers', async () => {
    const {
      graph,
      values: [x],
    } = inputs('x');
    const rounded = graph.op('Cast', [graph.op('Cast', [x!], { to: 7 })], { to: 1 });
    const found = gradients(graph, graph.op('Add', [rounded, x!]), [x!]);
    expect(await run(graph, found, { x: [1.5, 2.5] })).toEqual([[1, 1]]);
  });

  it('emits nothing that the gradients do not need', () => {
    const {
      graph,
      values: [x, y],
    } = inputs('x', 'y');
    const loss = graph.op('Mul', [graph.op('Exp', [x!]), graph.op('Sin', [y!])]);
    gradients(graph, loss, [x!]);
    const emitted = [...graph.nodes].slice(3).map(n => n.opType);
    expect(emitted.filter(op => op === 'Cos')).toEqual([]);
    for (const node of [...graph.nodes].slice(3, -1)) {
      expect(node.outputs.some(o => o && o.uses.size > 0)).toBe(true);
    }
  });

  it('names an operator that has no gradient, and the path that needs it', () => {
    const graph = new Graph();
    const w = graph.addInput('w', tensorType('float32', [2, 2]));
    const det = graph.op('Det', [graph.op('Exp', [w], {}, { name: 'grow' })], {}, { name: 'volume' });
    const loss = graph.op('Log', [det], {}, { name: 'loss' });
    expect(() => gradients(graph, loss, [w])).toThrow(
      /operator Det has no gradient.*node "volume".*w → Exp "grow" → Det "volume" → Log "loss" → loss/,
    );
  });

  it('asks for a newer operator set where there is none that adds up what it scatters', () => {
    const {
      graph,
      values: [x],
    } = inputs('x');
    const model = new Model(graph);
    model.opsets = new Map([['', 11]]);
    expect(() => gradients(model, graph.op('Exp', [x!]), [x!])).toThrow(
      /operator set 16 or newer, not 11.*upgradeOpset/s,
    );
    expect(() => gradients(graph, x!, [x!], { opsets: new Map([['', 15]]) })).toThrow(/not 15.*opsets/s);
  });
});

describe('gradients of gradients', () => {
  it('are right for a function of one value', async () => {
    await checkGradients(
      {
        variables: [{ dims: [3], from: [0.5, 1.5] }],
        build: (b, [x]) => {
          const y = b.mul(b.op('Tanh', [x!]), b.op('Log', [x!]));
          return gradients(new Model(b.graph), y, [x!])[0]!;
        },
        truth: 'float64',
      },
      new Random(1),
    );
  });

  it('give Hessian-vector products of a small network', async () => {
    await checkGradients(
      {
        variables: [{ dims: [4, 3] }, { dims: [3, 5] }, { dims: [5] }, { dims: [5, 2] }],
        // The gradient's product with fixed vectors; its own gradient is then H·v.
        build: (b, [x, w, bias, v]) => {
          const h = b.op('Tanh', [b.op('Gemm', [x!, w!, bias!])]);
          const p = b.op('LogSoftmax', [b.matmul(h, v!)], { axis: -1 });
          return gradients(new Model(b.graph), b.op('ReduceMean', [b.square(p)], { keepdims: 0 }), [
            w!,
            bias!,
            v!,
          ]);
        },
        truth: 'float64',
      },
      new Random(2),
    );
  });

  it('go through convolution, normalization and pooling', async () => {
    await checkGradients(
      {
        variables: [{ dims: [2, 2, 4, 4] }, { dims: [2, 2, 3, 3] }],
        build: (b, [x, w]) => {
          const y = b.op('Conv', [x!, w!], { pads: [1, 1, 1, 1], strides: [2, 2] });
          const grads = gradients(new Model(b.graph), b.op('ReduceSum', [b.square(y)], { keepdims: 0 }), [
            x!,
            w!,
          ]);
          return grads;
        },
        truth: 'multilinear',
      },
      new Random(3),
    );
  });
});

describe("gradients by one's own rule", () => {
  it('end at stopGradient', async () => {
    const {
      graph,
      values: [x],
    } = inputs('x');
    const loss = graph.op('Mul', [x!, stopGradient(graph, graph.op('Exp', [x!]))]);
    const [[a, b]] = (await run(graph, gradients(graph, loss, [x!]), { x: [0, 1] })) as [[number, number]];
    expect([a, b]).toEqual([1, Math.fround(Math.E)]);
  });

  it('pass straight through rounding', async () => {
    const {
      graph,
      values: [x],
    } = inputs('x');
    const rounded = straightThrough(graph, x!, graph.op('Round', [x!]));
    const found = gradients(graph, graph.op('Mul', [rounded, rounded]), [x!]);
    expect(await run(graph, [rounded, ...found], { x: [1.4, -2.6] })).toEqual([
      [1, -3],
      [2, -6],
    ]);
  });

  it('are chosen by a mark on the node, or by operator', async () => {
    const {
      graph,
      values: [x],
    } = inputs('x');
    const marked = customGradient(graph.op('Exp', [x!]), 'ten');
    const loss = graph.op('Add', [marked, graph.op('Sin', [x!])]);
    const found = gradients(graph, loss, [x!], {
      vjps: {
        ten: ({ build: b, gradient }) => [b.mul(gradient, 10)],
        Sin: ({ build: b, gradient }) => [b.mul(gradient, 100)],
      },
    });
    expect(await run(graph, found, { x: [0, 1] })).toEqual([[110, 110]]);
    expect(() => gradients(graph, loss, [x!])).toThrow(/the gradient rule "ten", which is not given/);
  });
});
