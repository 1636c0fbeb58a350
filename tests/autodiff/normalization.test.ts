import { describe, expect, it } from 'vitest';
import { Graph, gradients, Tensor, tensorType } from '../../src/graph/index.js';
import { type Case, checkGradients, type Reference } from './check.js';
import { Random } from './random.js';

const ranks = [
  [3, 2],
  [4, 2, 3],
  [2, 3, 2, 2],
];

describe('gradients of BatchNormalization', () => {
  it.each(ranks.map(dims => [dims]))('inference, %j', async dims => {
    const channels = [dims[1]!];
    await checkGradients(
      {
        variables: [
          { dims },
          { dims: channels },
          { dims: channels },
          { dims: channels },
          { dims: channels, from: [0.3, 2] },
        ],
        build: (b, xs) => b.op('BatchNormalization', xs, { epsilon: 1e-3 }),
        truth: 'float64',
      },
      new Random(1),
    );
  });

  it.each(ranks.map(dims => [dims]))('training, %j', async dims => {
    const channels = [dims[1]!];
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: [{ dims, symbolic }, { dims: channels }, { dims: channels }],
          build: (b, xs) => {
            const statistics = [0, 1].map(v =>
              b.constant(
                Tensor.fromNumbers(
                  'float64',
                  channels,
                  channels.flatMap(c => Array(c).fill(v)),
                ),
              ),
            );
            return b.node(
              'BatchNormalization',
              [...xs, ...statistics],
              { training_mode: 1, epsilon: 1e-3 },
              3,
            ).output;
          },
          truth: 'float64',
        },
        new Random(2),
      );
    }
  });

  it('refuses one tensor as both running statistics, which ONNX Runtime computes wrongly', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [2, 3]));
    const [scale, bias, both] = ['scale', 'bias', 'both'].map(name =>
      graph.constant(Tensor.float32([3], [1, 1, 1]), name),
    );
    const y = graph.node(
      'BatchNormalization',
      [x, scale!, bias!, both!, both!],
      { training_mode: 1 },
      { outputs: 3 },
    );
    expect(() => gradients(graph, y.output, [x])).toThrow(/"both" is both its mean and its variance/);
  });
});

/** Splits a flat list into `count` rows. */
const rows = (x: Float64Array, count: number): Float64Array[] =>
  Array.from({ length: count }, (_, i) => x.slice((i * x.length) / count, ((i + 1) * x.length) / count));

function standardized(row: Float64Array, epsilon: number): Float64Array {
  const mean = row.reduce((a, v) => a + v, 0) / row.length;
  const variance = row.reduce((a, v) => a + (v - mean) ** 2, 0) / row.length;
  return row.map(v => (v - mean) / Math.sqrt(variance + epsilon));
}

describe('gradients of normalizations of each example', () => {
  it('LayerNormalization in float64', async () => {
    for (const [dims, axis, affine] of [
      [[3, 4], -1, [4]],
      [[2, 3, 2], 1, [3, 2]],
      [[2, 1], -1, [1]],
    ] as const) {
      await checkGradients(
        {
          variables: [{ dims }, { dims: affine }, { dims: affine }],
          build: (b, xs) => b.op('LayerNormalization', xs, { axis, epsilon: 1e-2 }),
          truth: 'float64',
        },
        new Random(3),
      );
    }
  });

  it('LayerNormalization from the statistics that it hands out, in float32', async () => {
    const truth: Reference = (x, scale, bias) => [
      rows(x, 3).flatMap(row => [...standardized(row, 1e-2)].map((v, i) => v * scale[i]! + bias[i]!)),
    ];
    await checkGradients(
      {
        variables: [{ dims: [3, 5], from: [1, 4] }, { dims: [5] }, { dims: [5] }],
        build: (b, xs) => b.op('LayerNormalization', xs, { epsilon: 1e-2 }),
        truth,
      },
      new Random(4),
    );
  });

  it('InstanceNormalization', async () => {
    const truth: Reference = (x, scale, bias) => [
      rows(x, 6).flatMap((row, i) => [...standardized(row, 1e-2)].map(v => v * scale[i % 3]! + bias[i % 3]!)),
    ];
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: [{ dims: [2, 3, 2, 3], symbolic }, { dims: [3] }, { dims: [3] }],
          build: (b, xs) => b.op('InstanceNormalization', xs, { epsilon: 1e-2 }),
          truth,
        },
        new Random(5),
      );
    }
  });

  it.each([18, 21])('GroupNormalization of opset %i', async opset => {
    const affine = opset < 21 ? 2 : 4;
    const truth: Reference = (x, scale, bias) => [
      rows(x, 4).flatMap((row, i) =>
        [...standardized(row, 1e-2)].map((v, j) => {
          const group = i % 2;
          const k = opset < 21 ? group : 2 * group + Math.floor(j / 3);
          return v * scale[k]! + bias[k]!;
        }),
      ),
    ];
    await checkGradients(
      {
        variables: [{ dims: [2, 4, 3] }, { dims: [affine] }, { dims: [affine] }],
        build: (b, xs) => b.op('GroupNormalization', xs, { num_groups: 2, epsilon: 1e-2 }),
        truth,
        opset,
      },
      new Random(6),
    );
  });

  it('SimplifiedLayerNormalization (root mean square)', async () => {
    const test: Case = {
      variables: [{ dims: [3, 4] }, { dims: [4] }],
      build: (b, xs) => b.op('SimplifiedLayerNormalization', xs, { epsilon: 1e-2, axis: -1, stash_type: 1 }),
      truth: (x, scale) => [
        rows(x, 3).flatMap(row => {
          const root = Math.sqrt(row.reduce((a, v) => a + v * v, 0) / row.length + 1e-2);
          return [...row].map((v, i) => (v / root) * scale[i]!);
        }),
      ],
    };
    await checkGradients(test, new Random(7));
  });
});
