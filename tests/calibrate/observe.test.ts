import { describe, expect, it } from 'vitest';
import { type Moment, type Observation, observe } from '../../src/calibrate/observe.js';
import { findSites, type Site } from '../../src/calibrate/sites.js';
import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { gram, matrix } from '../../src/linalg/index.js';
import { Random } from '../../src/random/random.js';
import type { Tensors } from '../../src/runtime/index.js';
import { numbers, oneLayer } from '../compress/one-layer.js';

async function observed(
  model: Model,
  samples: readonly Tensors[],
  options: { memory?: number } = {},
): Promise<{ all: Map<Site, Observation>; passes: number }> {
  inferShapes(model);
  const all = new Map<Site, Observation>();
  let passes = 0;
  for await (const group of observe(model, findSites(model), samples, { ...options, threads: 1 })) {
    passes++;
    for (const [site, observation] of group) all.set(site, observation);
  }
  return { all, passes };
}

/** Sums over vectors, written out. */
function direct(groups: number, width: number) {
  const second = Array.from({ length: groups }, () => new Float64Array(width * width));
  const first = Array.from({ length: groups }, () => new Float64Array(width));
  let count = 0;
  return {
    second,
    first,
    /** One vector for each group. */
    add(vectors: readonly (readonly number[])[]) {
      count++;
      for (const [g, x] of vectors.entries()) {
        for (let i = 0; i < width; i++) {
          first[g]![i]! += x[i]!;
          for (let j = 0; j < width; j++) second[g]![i * width + j]! += x[i]! * x[j]!;
        }
      }
    },
    expectSame(moment: Moment) {
      expect(moment.groups).toBe(groups);
      expect(moment.width).toBe(width);
      expect(moment.count).toBe(count);
      for (let g = 0; g < groups; g++) {
        expectClose(moment.second[g]!, second[g]!);
        expectClose(moment.first[g]!, first[g]!);
      }
    },
  };
}

function expectClose(actual: Float64Array, expected: Float64Array): void {
  const size = Math.max(...expected.map(Math.abs));
  const off = Math.max(...expected.map((v, i) => Math.abs(v - actual[i]!)));
  expect(off / size).toBeLessThan(2e-6);
}

describe('observe', () => {
  it.each([
    { name: 'MatMul x · W', columns: false },
    { name: 'MatMul W · x', columns: true },
    { name: 'Gemm with bias', columns: false },
    { name: 'Gemm transA, transB, alpha, beta', columns: true },
    { name: 'Gemm W · x', columns: true },
    { name: 'Gemm Wᵀ · xᵀ', columns: false },
  ])('$name: the vectors that the weight is multiplied with', async ({ name, columns }) => {
    const { model, samples } = oneLayer(name);
    const { all } = await observed(model, samples);
    const expected = direct(1, 12);
    for (const { x } of samples) {
      const data = x!.toFloat32();
      const [height, width] = x!.dims.slice(-2) as [number, number];
      for (let matrix = 0; matrix < data.length; matrix += height * width) {
        const at = (i: number, j: number) => data[matrix + i * width + j]!;
        for (let k = 0; k < (columns ? width : height); k++) {
          expected.add([Array.from({ length: 12 }, (_, i) => (columns ? at(i, k) : at(k, i)))]);
        }
      }
    }
    expected.expectSame([...all.values()][0]!.moment!);
  });

  it.each([
    { name: 'Conv 2-D', strides: [2, 1], dilations: [1, 1], pads: [1, 0, 1, 2], group: 1 },
    { name: 'Conv 2-D in groups', strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], group: 2 },
    { name: 'Conv 2-D depthwise', strides: [2, 2], dilations: [1, 1], pads: [1, 1, 1, 1], group: 8 },
    { name: 'Conv 2-D dilated', strides: [1, 1], dilations: [2, 3], pads: [2, 1, 2, 2], group: 1 },
    // SAME_UPPER: the odd one of the padding goes to the end.
    {
      name: 'Conv 2-D padded to the same size',
      strides: [2, 1],
      dilations: [1, 1],
      pads: [0, 0, 1, 1],
      group: 1,
    },
    { name: 'Conv 1×1', strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], group: 1 },
  ])('$name: the patches, group by group', async ({ name, strides, dilations, pads, group }) => {
    const { model, samples } = oneLayer(name);
    const { all } = await observed(model, samples);
    const [site, observation] = [...all][0]!;
    const [, channels, kh, kw] = site.tensor.dims as [number, number, number, number];
    const expected = direct(group, channels * kh * kw);
    for (const { x } of samples) {
      const data = x!.toFloat32();
      const [batch, , height, width] = x!.dims as [number, number, number, number];
      const at = (n: number, c: number, i: number, j: number) =>
        i < 0 || j < 0 || i >= height || j >= width
          ? 0
          : data[((n * group * channels + c) * height + i) * width + j]!;
      const rows =
        Math.floor((height + pads[0]! + pads[2]! - dilations[0]! * (kh - 1) - 1) / strides[0]!) + 1;
      const cols = Math.floor((width + pads[1]! + pads[3]! - dilations[1]! * (kw - 1) - 1) / strides[1]!) + 1;
      for (let n = 0; n < batch; n++) {
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < cols; j++) {
            const patch = (g: number) => {
              const values: number[] = [];
              for (let c = 0; c < channels; c++) {
                for (let a = 0; a < kh; a++) {
                  for (let b = 0; b < kw; b++) {
                    const y = i * strides[0]! - pads[0]! + a * dilations[0]!;
                    const x2 = j * strides[1]! - pads[1]! + b * dilations[1]!;
                    values.push(at(n, g * channels + c, y, x2));
                  }
                }
              }
              return values;
            };
            expected.add(Array.from({ length: group }, (_, g) => patch(g)));
          }
        }
      }
    }
    expected.expectSame(observation.moment!);
  });

  it('counts how often each row of a table is used', async () => {
    const { model, samples } = oneLayer('Gather');
    const { all } = await observed(model, [...samples, { x: Tensor.int64([-1, 0], [1, 2]) }]);
    const counts = new Float64Array(20);
    for (const { x } of samples) for (const id of x!.toNumbers()) counts[id]!++;
    counts[19]!++;
    counts[0]!++;
    expect([...all.values()][0]!.tokenCounts).toEqual(counts);
  });

  it('adds up what all uses of a shared weight read', async () => {
    const { model, samples } = oneLayer('a weight shared by two layers');
    const { all } = await observed(model, samples);
    const [site, { moment }] = [...all][0]!;
    const w = site.tensor.toFloat32();
    const expected = direct(1, 12);
    for (const { x } of samples) {
      const data = x!.toFloat32();
      for (let row = 0; row < data.length; row += 12) {
        const vector = [...data.subarray(row, row + 12)];
        expected.add([vector]);
        const next = vector.map((_, o) => vector.reduce((sum, v, i) => sum + v * w[i * 12 + o]!, 0));
        expected.add([next.map(v => Math.max(0, v))]);
      }
    }
    expected.expectSame(moment!);
  });

  it('computes layers that read the same vectors once, and in passes gets the same', async () => {
    const random = new Random(3);
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', ['n', 10]));
    for (let i = 0; i < 3; i++) {
      const w = graph.constant(Tensor.float32([10, 10], numbers(random, 100)), 'w');
      const inner = graph.op('Tanh', [graph.op('MatMul', [x, w])]);
      const v = graph.constant(Tensor.float32([10, 10], numbers(random, 100)), 'v');
      const y = graph.op('MatMul', [inner, v]);
      y.type = tensorType('float32');
      graph.addOutput(y);
    }
    const model = new Model(graph);
    const samples = [1, 2, 3].map(() => ({ x: Tensor.float32([7, 10], numbers(random, 70)) }));
    const { all, passes } = await observed(model, samples);
    expect(passes).toBe(1);
    const first = [...all].filter(([site]) => site.uses[0]!.node.inputs[0] === x);
    expect(first).toHaveLength(3);
    expect(new Set(first.map(([, { moment }]) => moment)).size).toBe(1);

    const chunked = await observed(model, samples, { memory: 2000 });
    expect(chunked.passes).toBeGreaterThan(1);
    expect([...chunked.all.keys()].map(site => site.value.name)).toEqual(
      [...all.keys()].map(site => site.value.name),
    );
    for (const [i, { moment }] of [...chunked.all.values()].entries()) {
      const same = [...all.values()][i]!.moment!;
      expect(moment!.count).toBe(21);
      expectClose(moment!.second[0]!, same.second[0]!);
    }
  });

  it('gathers long vectors from several samples', async () => {
    const width = 1024;
    const random = new Random(3);
    const graph = new Graph('wide');
    const x = graph.addInput('x', tensorType('float32', ['n', width]));
    const weight = Tensor.float32([width, 4], new Float32Array(4 * width).fill(1));
    graph.outputs.push(graph.op('MatMul', [x, graph.constant(weight, 'w')]));
    // One sample fills what is summed at once and more, the last leaves a rest.
    const samples = [500, 700, 90].map(n => {
      const data = Float32Array.from({ length: n * width }, () => random.normal() + 0.5);
      return { x: Tensor.float32([n, width], data) };
    });
    const { all } = await observed(new Model(graph), samples);
    const moment = [...all.values()][0]!.moment!;
    expect(moment.count).toBe(1290);
    const rows = new Float64Array(1290 * width);
    for (const [i, sample] of samples.entries()) rows.set(sample.x.toFloat32(), [0, 500, 1200][i]! * width);
    const expected = gram(matrix(rows, 1290, width)).data;
    let off = 0;
    for (let i = 0; i < width ** 2; i++) off = Math.max(off, Math.abs(expected[i]! - moment.second[0]![i]!));
    expect(off / expected[0]!).toBeLessThan(2e-6);
    const sums = new Float64Array(width);
    for (let i = 0; i < rows.length; i++) sums[i % width]! += rows[i]!;
    expectClose(moment.first[0]!, sums);
  });

  it.each(['MatMul x · W', 'Conv 2-D'])('sums in float32 what a float16 model reads (%s)', async name => {
    const { model, samples } = oneLayer(name, { dtype: 'float16' });
    // 240² · 32 is beyond float16.
    const large = samples.map(({ x }) => ({
      x: Tensor.fromNumbers(
        'float16',
        x!.dims,
        x!.toNumbers().map(v => 100 * v),
      ),
    }));
    const { all } = await observed(model, large);
    const { model: wide } = oneLayer(name);
    const widened = large.map(({ x }) => ({ x: Tensor.float32(x.dims, x.toFloat32()) }));
    const { all: expected } = await observed(wide, widened);
    const [a, b] = [[...all.values()][0]!.moment!, [...expected.values()][0]!.moment!];
    expect(a.count).toBe(b.count);
    expectClose(a.second[0]!, b.second[0]!);
  });

  it('names the node whose activation is not finite', async () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [4, 8]));
    const log = graph.op('Log', [x], {}, { name: 'the-log', outputs: ['logarithm'] });
    const w = graph.constant(Tensor.float32([8, 8], new Float32Array(64).fill(1)), 'w');
    const y = graph.op('MatMul', [log, w]);
    y.type = tensorType('float32');
    graph.addOutput(y);
    const samples = [{ x: Tensor.float32([4, 8], new Float32Array(32).fill(-1)) }];
    await expect(observed(new Model(graph), samples)).rejects.toThrow(/the-log/);
  });
});
