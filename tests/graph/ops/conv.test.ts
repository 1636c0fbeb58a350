import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { inferShapes } from '../../../src/graph/infer/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { tensorType } from '../../../src/graph/value.js';
import { expectShapes } from './compare.js';

/** Positions at which a window fits, counted one by one. */
function countWindows(input: number, kernel: number, stride: number, dilation: number, pads: number): number {
  let count = 0;
  for (let at = 0; at + dilation * (kernel - 1) < input + pads; at += stride) count++;
  return count;
}

describe('Conv', () => {
  it('has one output for each position of the window', () => {
    const parameters = fc.record({
      input: fc.integer({ min: 1, max: 40 }),
      kernel: fc.integer({ min: 1, max: 5 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dilation: fc.integer({ min: 1, max: 3 }),
      head: fc.integer({ min: 0, max: 4 }),
      tail: fc.integer({ min: 0, max: 4 }),
    });
    fc.assert(
      fc.property(parameters, ({ input, kernel, stride, dilation, head, tail }) => {
        fc.pre(dilation * (kernel - 1) < input + head + tail);
        const graph = new Graph();
        const x = graph.addInput('x', tensorType('float32', ['n', 2, input]));
        const w = graph.constant(Tensor.float32([3, 2, kernel], new Float32Array(6 * kernel)));
        const y = graph.op('Conv', [x, w], { strides: [stride], dilations: [dilation], pads: [head, tail] });
        inferShapes(graph);
        expect(y.shape).toEqual(['n', 3, countWindows(input, kernel, stride, dilation, head + tail)]);
      }),
    );
  });

  it('is named where the channels do not fit', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [1, 4, 8, 8]));
    const w = graph.constant(Tensor.float32([2, 3, 1, 1], new Float32Array(6)));
    graph.op('Conv', [x, w], {}, { name: 'first' });
    const { problems } = inferShapes(graph);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ node: 'first', message: expect.stringMatching(/4 channels.*1 × 3/) });
  });
});

describe('convolutions', () => {
  it('have the shapes of the runtime', async () => {
    const known = await expectShapes(
      c => {
        const { random } = c;
        const rank = random.int(1, 3);
        const group = random.int(1, 3);
        const x = c.input([random.int(1, 3), 2 * group, ...random.shape(rank, 6, 11)]);
        const kernel = random.shape(rank, 1, 3);
        const w = c.weight([group * random.int(1, 2), 2, ...kernel]);
        const strides = random.shape(rank, 1, 3);
        const dilations = random.shape(rank, 1, 2);
        const pads = random.shape(2 * rank, 0, 2);
        c.op('Conv', [x, w], { group, strides, dilations, pads });
        c.op('Conv', [x, w], { group, kernel_shape: kernel });
        for (const auto_pad of ['SAME_UPPER', 'SAME_LOWER', 'VALID']) {
          c.op('Conv', [x, w], { group, strides, auto_pad });
        }
        if (rank < 3) {
          const t = c.weight([2 * group, random.int(1, 2), ...kernel]);
          const output_padding = strides.map(s => random.int(0, s - 1));
          c.op('ConvTranspose', [x, t], { group, strides, output_padding });
          c.op('ConvTranspose', [x, t], { group, strides, dilations });
          c.op('ConvTranspose', [x, t], { group, strides, auto_pad: 'SAME_UPPER' });
        }
        const q = c.input([1, 2, ...random.shape(2, 5, 8)], 'uint8');
        c.op('ConvInteger', [q, c.weight([3, 2, 2, 2], 'uint8')], { strides: [1, 2] });
      },
      { seeds: 12 },
    );
    expect(known).toBe(1);
  });
});

describe('pools', () => {
  it('have the shapes of the runtime', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const rank = random.int(1, 3);
        const x = c.input([random.int(1, 3), random.int(1, 4), ...random.shape(rank, 5, 12)]);
        const kernel_shape = random.shape(rank, 1, 4);
        const strides = random.shape(rank, 1, 4);
        const pads = [...kernel_shape, ...kernel_shape].map(k => random.int(0, Math.max(0, k - 1) >> 1));
        for (const ceil_mode of [0, 1]) {
          c.graph.node('MaxPool', [x], { kernel_shape, strides, pads, ceil_mode }, { outputs: 2 });
          c.op('AveragePool', [x], { kernel_shape, strides, pads, ceil_mode });
        }
        c.op('LpPool', [x], { kernel_shape, strides, p: 2 });
        c.op('MaxPool', [x], { kernel_shape, auto_pad: 'SAME_LOWER' });
        c.op('AveragePool', [x], { kernel_shape: strides, strides, auto_pad: 'SAME_UPPER' });
        for (const op of ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool']) c.op(op, [x]);
      },
      { seeds: 20 },
    );
  });

  it('of regions', async () => {
    await expectShapes(c => {
      const x = c.input([1, 3, 12, 12]);
      c.op('MaxRoiPool', [x, c.graph.constant(Tensor.float32([4, 5], new Float32Array(20)))], {
        pooled_shape: [2, 3],
      });
      c.op('RoiAlign', [x, c.input([4, 4]), c.graph.constant(Tensor.int64([0, 0, 0, 0]))], {
        output_height: 2,
        output_width: 5,
      });
    });
  });
});
