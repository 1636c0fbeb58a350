import fc from 'fast-check';
import { expect, it } from 'vitest';
import { typedBuilder } from '../../src/graph/autodiff/index.js';
import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { Random } from '../../src/random/random.js';
import { evaluate } from '../../src/runtime/index.js';
import { multiplyRowSums } from '../../src/runtime/layout/row-sums.js';

/** The sum of `x` over axes, with or without them in the result. */
function build(dims: readonly number[], axes: readonly number[], keepdims: boolean): Model {
  const graph = new Graph();
  const model = new Model(graph);
  model.opsets.set('', 17);
  const x = graph.addInput('x', tensorType('float32', [...dims]));
  graph.addOutput(typedBuilder(model).sum(x, [...axes], keepdims));
  return model;
}

it('gives the sums over rows of float32, for any shape', async () => {
  const shape = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(shape, fc.boolean(), fc.integer(), async (dims, keepdims, seed) => {
      const axes = dims.slice(1).map((_, axis) => axis);
      const model = build(dims, axes, keepdims);
      expect(multiplyRowSums(model, { smallest: 0 })).toBe(1);
      expect([...model.graph.nodes].map(node => node.opType)).not.toContain('ReduceSum');
      const random = new Random(seed);
      const numbers = Float32Array.from({ length: dims.reduce((a, d) => a * d, 1) }, () => random.normal());
      const [sum] = Object.values(await evaluate(model, { x: Tensor.float32(dims, numbers) }));
      const width = dims.at(-1)!;
      const expected = new Float64Array(width);
      numbers.forEach((value, i) => {
        expected[i % width]! += value;
      });
      expect(sum!.dims).toEqual(keepdims ? [...axes.map(() => 1), width] : [width]);
      for (const [i, value] of sum!.toNumbers().entries()) expect(value).toBeCloseTo(expected[i]!, 4);
    }),
    { numRuns: 25 },
  );
});

it('leaves small sums, and those over other axes', () => {
  expect(multiplyRowSums(build([8, 4], [0], true))).toBe(0);
  for (const axes of [[1], [0, 2], [1, 2]])
    expect(multiplyRowSums(build([8, 4, 2], axes, true), { smallest: 0 })).toBe(0);
});
