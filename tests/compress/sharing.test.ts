import { describe, expect, it } from 'vitest';
import { findSites } from '../../src/calibrate/sites.js';
import { compress } from '../../src/compress/compress.js';
import { findTwins, shareWeights, writeTwins } from '../../src/compress/sharing.js';
import { indexedSource } from '../../src/data/sample.js';
import { Tensor } from '../../src/graph/index.js';
import { modelByteLength } from '../../src/onnx/index.js';
import { Random } from '../../src/random/random.js';
import type { Tensors } from '../../src/runtime/index.js';
import { modelOf, numbers, outputs, relativeError } from './forms/written.js';

const source = (samples: readonly Tensors[]) =>
  indexedSource({ description: 'vectors' }, samples.length, async index => ({ ...samples[index]! }));

const SIZE = 24;

/** Four layers: the second is −2 times the first, the third the first with noise of that size, the fourth its own. */
const layers = (noise: number) =>
  modelOf([5, SIZE], (g, x, c) => {
    const first = numbers(new Random(7), SIZE * SIZE).map(v => v / Math.sqrt(SIZE));
    const off = numbers(new Random(8), SIZE * SIZE).map(v => (noise * v) / Math.sqrt(SIZE));
    const weight = (data: Float32Array) => g.constant(Tensor.float32([SIZE, SIZE], data), 'w');
    const weights = [
      weight(first),
      weight(first.map(v => -2 * v)),
      weight(first.map((v, i) => v + off[i]!)),
      c([SIZE, SIZE]),
    ];
    return weights.reduce((value, w) => g.op('Tanh', [g.op('MatMul', [value, w])]), x);
  });

describe('findTwins', () => {
  it('finds multiples and near multiples, nearest first', () => {
    const sites = findSites(layers(0.05).model);
    const twins = findTwins(sites, 0.1);
    expect(twins.map(({ site, of }) => [sites.indexOf(site), sites.indexOf(of)])).toEqual([
      [1, 0],
      [2, 0],
    ]);
    expect(twins[0]).toMatchObject({ factor: -2, difference: 0 });
    expect(twins[1]!.difference).toBeGreaterThan(0.04);
    expect(twins[1]!.difference).toBeLessThan(0.06);
    expect(findTwins(sites, 0).map(({ site }) => site)).toEqual([sites[1]]);
  });

  it('writes a multiple as one, exactly', async () => {
    const { model, samples } = layers(0.05);
    const tied = writeTwins(model, findTwins(findSites(model), 0));
    expect(relativeError(await outputs(model, samples), await outputs(tied, samples))).toBe(0);
    expect(modelByteLength(model) - modelByteLength(tied)).toBeGreaterThan(4 * SIZE * SIZE - 100);
  });
});

describe('shareWeights', () => {
  it('ties what is measured to be harmless and nothing else', async () => {
    for (const [noise, count] of [
      [0.001, 2],
      [0.09, 1],
    ] as const) {
      const { model, samples } = layers(noise);
      const {
        tied,
        refused,
        model: shared,
        distortion,
      } = await shareWeights(model, { inputs: source(samples) });
      expect(tied).toHaveLength(count);
      expect(refused).toHaveLength(2 - count);
      expect(distortion).toBeLessThanOrEqual(1e-4);
      expect(relativeError(await outputs(model, samples), await outputs(shared, samples))).toBeLessThan(0.01);
    }
  });
});

describe('compress', () => {
  it('stores equal weights once', async () => {
    const { model, samples } = modelOf([5, 64], (g, x) => {
      const data = numbers(new Random(9), 64 * 64);
      const weight = () => g.constant(Tensor.float32([64, 64], data), 'w');
      return g.op('MatMul', [g.op('Tanh', [g.op('MatMul', [x, weight()])]), weight()]);
    });
    const result = await compress(model, { method: 'quantize', inputs: source(samples), timing: false });
    expect(result.report.layers).toHaveLength(1);
    expect(result.bytes().length).toBeLessThan(64 * 64 + 2000);
  });
});
