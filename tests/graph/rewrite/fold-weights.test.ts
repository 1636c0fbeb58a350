import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WhittleError } from '../../../src/graph/errors.js';
import { Graph } from '../../../src/graph/graph.js';
import { Model } from '../../../src/graph/model.js';
import { type Evaluate, foldWeights } from '../../../src/graph/rewrite/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { tensorType, type Value } from '../../../src/graph/value.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { createSession } from '../../../src/runtime/index.js';
import { evaluate } from '../observe.js';

const wave = (dims: readonly number[], shift = 0): Tensor =>
  Tensor.float32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * i + shift)),
  );

const WIDTH = 32;
const x = wave([2, WIDTH]);

/** x times what a test makes of constants, (WIDTH, …). */
function product(make: (graph: Graph, constant: (dims: readonly number[]) => Value) => Value): Model {
  const graph = new Graph();
  const input = graph.addInput('x', tensorType('float32', ['n', WIDTH]));
  let count = 0;
  const constant = (dims: readonly number[]) => graph.constant(wave(dims, count), `w${count++}`);
  graph.addOutput(graph.op('MatMul', [input, make(graph, constant)]), 'y');
  const model = new Model(graph);
  model.opsets.set('', 21);
  return model;
}

async function outputsOf(model: Model): Promise<Float32Array[]> {
  const session = await createSession(encodeToBytes(model), { threads: 1 });
  try {
    return Object.values(await session.run({ x })).map(tensor => tensor.toFloat32());
  } finally {
    await session.release();
  }
}

const kinds = (model: Model): string[] => [...model.graph.nodes].map(({ opType }) => opType).sort();

/** Folds, and checks what must hold always: the same outputs, and no larger a file. */
async function folded(model: Model): Promise<number> {
  const [outputs, bytes] = [await outputsOf(model), encodeToBytes(model).length];
  const count = await foldWeights(model, evaluate);
  expect(await outputsOf(model)).toEqual(outputs);
  expect(encodeToBytes(model).length).toBeLessThanOrEqual(bytes);
  return count;
}

describe('foldWeights', () => {
  it.each<[string, Model]>([
    ['two halves', product((g, w) => g.op('Concat', [w([WIDTH, 20]), w([WIDTH, 20])], { axis: 1 }))],
    ['a transposed weight', product((g, w) => g.op('Transpose', [w([20, WIDTH])], { perm: [1, 0] }))],
    ['wide factors', product((g, w) => g.op('MatMul', [w([WIDTH, 40]), w([40, WIDTH])]))],
    [
      'a scaled and shifted weight',
      product((g, w) => g.op('Add', [g.op('Mul', [w([WIDTH, 20]), w([20])]), w([WIDTH, 20])])),
    ],
    [
      'a part of a weight that nothing else uses',
      product((g, w) =>
        g.op('Slice', [w([WIDTH, 40]), ...[0, 20, 1].map(i => g.constant(Tensor.int64([i])))]),
      ),
    ],
  ])('computes %s', async (_, model) => {
    expect(await folded(model)).toBe(1);
    expect(kinds(model)).toEqual(['MatMul']);
  });

  it.each<[string, Model]>([
    [
      'a repeated weight',
      product((g, w) => g.op('Tile', [w([WIDTH, 20]), g.constant(Tensor.int64([1, 3]))])),
    ],
    [
      'an expanded vector',
      product((g, w) => g.op('Expand', [w([1, 300]), g.constant(Tensor.int64([WIDTH, 300]))])),
    ],
    ['thin factors', product((g, w) => g.op('MatMul', [w([WIDTH, 3]), w([3, WIDTH])]))],
    ['a table of zeros', product(g => g.op('ConstantOfShape', [g.constant(Tensor.int64([WIDTH, 20]))]))],
    [
      'a look-up of few values by codes of a byte',
      product((g, w) => {
        const codes = Array.from({ length: WIDTH * 20 }, (_, i) => i % 16);
        const narrow = g.constant(Tensor.fromNumbers('uint8', [WIDTH, 20], codes));
        return g.op('Gather', [w([16]), g.op('Cast', [narrow], { to: 6 })]);
      }),
    ],
  ])('leaves %s, whose file would grow', async (_, model) => {
    const before = kinds(model);
    expect(await folded(model)).toBe(0);
    expect(kinds(model)).toEqual(before);
  });

  it('leaves a weight that is used in another form as well: it would be there twice', async () => {
    const model = product((g, w) => {
      const shared = w([WIDTH, WIDTH]);
      g.addOutput(g.op('MatMul', [g.inputs[0]!, shared]));
      return g.op('Transpose', [shared], { perm: [1, 0] });
    });
    expect(await folded(model)).toBe(0);
  });

  it('counts what several results have in common once', async () => {
    const halves = (kept: number) =>
      product((g, w) => {
        const whole = w([WIDTH, 40]);
        const sizes = g.constant(Tensor.int64([20, 20]));
        const split = g.node('Split', [whole, sizes], { axis: 1 }, { outputs: 2 }).outputs as Value[];
        for (let i = 0; i < kept; i++) g.addOutput(g.op('MatMul', [g.inputs[0]!, whole]));
        return g.op('Concat', [split[1]!, split[0]!], { axis: 1 });
      });
    expect(await folded(halves(0))).toBe(1);
    expect(await folded(halves(1))).toBe(0);
  });

  it('what the runtime refuses stays; the rest is folded', async () => {
    const model = product((g, w) => {
      g.addOutput(g.op('MatMul', [g.inputs[0]!, g.op('Transpose', [w([20, WIDTH])], { perm: [1, 0] })]));
      return g.op('Neg', [w([WIDTH, 20])]);
    });
    const refusing: Evaluate = part =>
      [...part.graph.nodes].some(({ opType }) => opType === 'Neg')
        ? Promise.reject(new WhittleError('no such operator'))
        : evaluate(part);
    expect(await foldWeights(model, refusing)).toBe(1);
    expect(kinds(model)).toEqual(['MatMul', 'MatMul', 'Neg']);
    await expect(foldWeights(model, () => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
  });

  it('never makes a file larger, whatever shares what', async () => {
    const step = fc.record({
      op: fc.constantFrom('Transpose', 'Add', 'Concat', 'MatMul', 'Tile'),
      a: fc.nat(),
      b: fc.nat(),
      read: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async steps => {
        const model = product((g, w) => {
          // All square, so that everything fits everything; larger results are read through a Slice.
          const square = [w([WIDTH, WIDTH]), w([WIDTH, WIDTH])];
          const ends = [0, WIDTH].map(i => g.constant(Tensor.int64([i])));
          for (const { op, a, b, read } of steps) {
            const [left, right] = [square[a % square.length]!, square[b % square.length]!];
            const [start, end] = ends as [Value, Value];
            const made =
              op === 'Transpose'
                ? g.op(op, [left], { perm: [1, 0] })
                : op === 'Tile'
                  ? g.op('Slice', [g.op(op, [left, g.constant(Tensor.int64([2, 1]))]), start, end])
                  : op === 'Concat'
                    ? g.op('Slice', [g.op(op, [left, right], { axis: 0 }), start, end])
                    : g.op(op, [left, right]);
            square.push(made);
            if (read) g.addOutput(g.op('MatMul', [g.inputs[0]!, made]));
          }
          return square.at(-1)!;
        });
        const bytes = encodeToBytes(model).length;
        await foldWeights(model, evaluate);
        expect(encodeToBytes(model).length).toBeLessThanOrEqual(bytes);
      }),
      { numRuns: 30 },
    );
  });
});
