import { describe, expect, it } from 'vitest';
import { Graph, gradients, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { evaluate } from '../../src/runtime/index.js';
import { checkGradients } from './check.js';
import { Random } from './random.js';

type Row = readonly [name: string, dims: number[], attributes: Record<string, number | number[] | string>];

const WINDOWS: readonly Row[] = [
  ['2×2', [2, 3, 4, 6], { kernel_shape: [2, 2], strides: [2, 2] }],
  ['overlapping', [1, 2, 5, 5], { kernel_shape: [3, 3], strides: [1, 2] }],
  ['padded', [1, 2, 5, 4], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }],
  ['with a remainder', [1, 1, 7, 6], { kernel_shape: [2, 3], strides: [3, 2] }],
  ['rounded up', [1, 2, 6, 5], { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 }],
  [
    'rounded up and padded',
    [1, 1, 6, 7],
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 },
  ],
  ['of the same size', [1, 2, 5, 4], { kernel_shape: [3, 2], auto_pad: 'SAME_UPPER' }],
  ['1-D', [2, 2, 7], { kernel_shape: [3], strides: [2] }],
  ['dilated', [1, 1, 7, 7], { kernel_shape: [2, 3], dilations: [2, 2] }],
];

describe('gradients of pools', () => {
  it('AveragePool of a last window that reaches past the input', async () => {
    for (const [dims, symbolic] of [
      [
        [1, 1, 3],
        ['n', 1, 'w'],
      ],
      [[1, 1, 3], undefined],
    ] as const) {
      const model = new Model(new Graph());
      const x = model.graph.addInput('x', tensorType('float32', symbolic ?? dims));
      const y = model.graph.op('AveragePool', [x], { kernel_shape: [2], strides: [2], ceil_mode: 1 });
      const [gradient] = gradients(model, y, [x]);
      model.graph.addOutput(gradient!, 'gradient');
      const found = await evaluate(model, { x: Tensor.float32([1, 1, 3], [1, 2, 3]) });
      expect([...found.gradient!.toFloat32()]).toEqual([0.5, 0.5, 1]);
    }
  });

  it('AveragePool without the window that would start in the padding', async () => {
    const model = new Model(new Graph());
    const x = model.graph.addInput('x', tensorType('float32', [1, 1, 3]));
    const attributes = { kernel_shape: [2], strides: [2], pads: [1, 1], ceil_mode: 1 };
    const [gradient] = gradients(model, model.graph.op('AveragePool', [x], attributes), [x]);
    model.graph.addOutput(gradient!, 'gradient');
    const found = await evaluate(model, { x: Tensor.float32([1, 1, 3], [1, 2, 3]) });
    expect([...found.gradient!.toFloat32()]).toEqual([1, 0.5, 0.5]);
  });

  it('says that it has none where runtimes place the windows differently', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [1, 1, 5]));
    const y = graph.op('AveragePool', [x], { kernel_shape: [1], strides: [3], auto_pad: 'SAME_UPPER' });
    expect(() => gradients(graph, y, [x])).toThrow(/strides beyond the kernel.*Give pads/s);
  });

  it.each(WINDOWS)('MaxPool %s', async (_, dims, attributes) => {
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: [{ dims, symbolic }],
          build: (b, xs) => b.op('MaxPool', xs, attributes),
          truth: 'float64',
        },
        new Random(1),
      );
    }
  });

  it.each(WINDOWS)('AveragePool %s', async (_, dims, attributes) => {
    for (const count_include_pad of [0, 1]) {
      for (const symbolic of [false, true]) {
        await checkGradients(
          {
            variables: [{ dims, symbolic }],
            build: (b, xs) => b.op('AveragePool', xs, { ...attributes, count_include_pad }),
            truth: 'multilinear',
          },
          new Random(1),
        );
      }
    }
  });

  it.each(['GlobalAveragePool', 'GlobalMaxPool'])('%s', async op => {
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: [
            { dims: [2, 3, 2, 2], symbolic, values: Array.from({ length: 24 }, (_, i) => (i * 7) % 24) },
          ],
          build: (b, xs) => b.op(op, xs),
          truth: 'multilinear',
        },
        new Random(2),
      );
    }
  });
});
