import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph, Tensor, tensorType } from '../../../src/graph/index.js';
import { expandBatchNorm } from '../../../src/graph/rewrite/index.js';
import { Random } from '../../../src/random/random.js';
import { evaluate } from '../../../src/runtime/index.js';

describe('expandBatchNorm', () => {
  it('gives the outputs of the operator, running statistics too', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }),
        fc.constantFrom(0.9, 0.25),
        async (seed, dims, momentum) => {
          const random = new Random(seed);
          const some = (shape: number[]): Tensor =>
            Tensor.float32(
              shape,
              Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform(0.5, 2)),
            );
          const graph = new Graph();
          const x = graph.addInput('x', tensorType('float32', dims));
          const channels = Array.from({ length: 4 }, () => graph.constant(some([dims[1]!])));
          const node = graph.node(
            'BatchNormalization',
            [x, ...channels],
            { training_mode: 1, momentum, epsilon: 1e-3 },
            { outputs: 3 },
          );
          node.outputs.forEach((output, i) => {
            output!.type = tensorType('float32', i === 0 ? dims : [dims[1]!]);
            graph.addOutput(output!, `y${i}`);
          });
          const feeds = { x: some(dims) };
          const before = await evaluate(graph, feeds);
          expect(expandBatchNorm(graph)).toBe(1);
          expect([...graph.nodes].map(({ opType }) => opType)).not.toContain('BatchNormalization');
          const after = await evaluate(graph, feeds);
          for (const [name, tensor] of Object.entries(before)) {
            const expected = tensor.toFloat32();
            const actual = after[name]!.toFloat32();
            expect(after[name]!.dims).toEqual(tensor.dims);
            expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 4));
          }
        },
      ),
      { numRuns: 25 },
    ));

  it('leaves inference alone', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [2, 3]));
    const channels = Array.from({ length: 4 }, () => graph.constant(Tensor.float32([3], [1, 1, 1])));
    graph.addOutput(graph.op('BatchNormalization', [x, ...channels]), 'y');
    expect(expandBatchNorm(graph)).toBe(0);
  });
});
