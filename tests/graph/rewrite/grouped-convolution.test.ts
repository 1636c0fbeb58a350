import fc from 'fast-check';
import { expect, it } from 'vitest';
import { alignGroups, Graph, inferShapes, Model, Tensor, tensorType } from '../../../src/graph/index.js';
import { evaluate } from '../../../src/runtime/index.js';

const wave = (dims: number[], shift: number): Tensor =>
  Tensor.float32(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(shift + 1.7 * i)),
  );

it('fills groups up to whole vectors, with the same numbers', async () => {
  const sizes = fc.record({
    groups: fc.integer({ min: 1, max: 5 }),
    inputs: fc.integer({ min: 1, max: 2 }),
    outputs: fc.integer({ min: 1, max: 9 }),
    stride: fc.integer({ min: 1, max: 2 }),
    bias: fc.boolean(),
  });
  let found = 0;
  await fc.assert(
    fc.asyncProperty(sizes, async ({ groups, inputs, outputs, stride, bias }) => {
      const build = (): Model => {
        const graph = new Graph('model');
        const x = graph.addInput('x', tensorType('float32', ['batch', groups * inputs, 5, 6]));
        const weights = [graph.constant(wave([groups * outputs, inputs, 3, 2], 2), 'w')];
        if (bias) weights.push(graph.constant(wave([groups * outputs], 3), 'b'));
        const attributes = { group: groups, strides: [stride, 1], pads: [1, 0, 1, 0] };
        graph.addOutput(graph.op('Conv', [x, ...weights], attributes), 'y');
        const model = new Model(graph);
        inferShapes(model);
        return model;
      };
      const aligned = build();
      const shape = aligned.graph.outputs[0]!.shape;
      found += alignGroups(aligned.graph);
      expect(aligned.graph.outputs[0]!.shape).toEqual(shape);
      const convolution = [...aligned.graph.nodes].find(({ opType }) => opType === 'Conv')!;
      const channels = convolution.inputs[1]!.shape![0] as number;
      // No vector that the number of channels allows reaches over the end of a group of 4 or more.
      const vector = [4, 2, 1].find(length => channels % length === 0)!;
      if (groups > 1 && outputs >= 4) expect((channels / groups) % vector).toBe(0);
      const feeds = { x: wave([2, groups * inputs, 5, 6], 1) };
      const [expected, actual] = [await evaluate(build(), feeds), await evaluate(aligned, feeds)];
      expect(actual.y!.dims).toEqual(expected.y!.dims);
      expect(actual.y!.toNumbers()).toEqual(expected.y!.toNumbers().map(v => expect.closeTo(v, 5)));
    }),
    { numRuns: 40 },
  );
  expect(found).toBeGreaterThan(3);
});
