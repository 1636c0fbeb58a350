import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph, Model, Tensor, tensorType } from '../../../src/graph/index.js';
import { matrix, singularValues } from '../../../src/linalg/index.js';
import { factorize, makeLowRank } from '../../../src/methods/factorized/index.js';
import {
  bert,
  cifarResNet,
  conv1d,
  conv2d,
  linear,
  type Network,
  normal,
  vgg,
  vit,
} from '../../../src/nn/index.js';
import { importedNetwork, trainable } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { layerNetwork, run } from '../../nn/run.js';

const wave = (dims: readonly number[], shift = 0): Tensor => {
  const size = dims.reduce((a, b) => a * b, 1);
  return Tensor.float32(
    dims,
    Array.from({ length: size }, (_, i) => Math.sin(7 * i * i + i + shift)),
  );
};

const outputs = async (network: Network, x: Tensor) => (await run(network.toModel(), { x })).y!;

/** ‖W‖² beyond the first `rank` singular values. */
const tail = (w: Float64Array, rows: number, cols: number, rank: number): number =>
  singularValues(matrix(w, rows, cols))
    .slice(rank)
    .reduce((sum, s) => sum + s * s, 0);

const squares = (a: ArrayLike<number>): number => Array.from(a).reduce((sum, v) => sum + v * v, 0);

const convCases = fc.record({
  inChannels: fc.integer({ min: 1, max: 4 }),
  outChannels: fc.integer({ min: 1, max: 4 }),
  kernelSize: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  stride: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  padding: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
  dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  bias: fc.boolean(),
});

describe('at full rank', () => {
  it.each(['spatial', 'channel'] as const)('a %s convolution is the one it replaces', async convolution => {
    await fc.assert(
      fc.asyncProperty(convCases, async options => {
        const { inChannels } = options;
        const network = layerNetwork([inChannels, 7, 6], (scope, x) => conv2d(scope.at('conv'), x, options));
        const x = wave([2, inChannels, 7, 6]);
        const before = await outputs(network, x);
        const { rank } = factorize(network, {
          rank: { scale: 1 },
          layers: /./,
          convolution,
          onlySmaller: false,
        }).layers[0]!;
        const [kh, kw] = options.kernelSize;
        const { outChannels } = options;
        expect(rank).toBe(
          convolution === 'spatial'
            ? Math.min(outChannels * kh, inChannels * kw)
            : Math.min(outChannels, inChannels * kh * kw),
        );
        expectClose(await outputs(network, x), before, 1e-5);
      }),
      { numRuns: 12 },
    );
  });

  it.each(['out-in', 'in-out'] as const)('a linear layer, %s', async layout => {
    for (const dims of [[5], [3, 5]]) {
      const network = layerNetwork(dims, (scope, x) =>
        linear(scope.at('fc'), x, { inFeatures: 5, outFeatures: 4, layout }),
      );
      const x = wave([2, ...dims]);
      const before = await outputs(network, x);
      makeLowRank(network, 'fc', { rank: 4 });
      expect([...network.parameters.keys()]).toEqual(['fc.v.weight', 'fc.u.weight', 'fc.u.bias']);
      expectClose(await outputs(network, x), before, 1e-5);
    }
  });

  it('a convolution over one dimension', async () => {
    const network = layerNetwork([3, 9], (scope, x) =>
      conv1d(scope.at('conv'), x, { inChannels: 3, outChannels: 4, kernelSize: 3, stride: 2, padding: 1 }),
    );
    const x = wave([2, 3, 9]);
    const before = await outputs(network, x);
    makeLowRank(network, 'conv', { rank: 4 });
    expectClose(await outputs(network, x), before, 1e-5);
  });
});

describe('spectral initialization', () => {
  it('keeps the best approximation of a linear layer (Eckart–Young), in balanced factors', () => {
    const network = layerNetwork([9], (scope, x) =>
      linear(scope.at('fc'), x, { inFeatures: 9, outFeatures: 6, bias: false, weightInit: normal() }),
    );
    const w = network.tensor('fc.weight').toFloat64();
    const rank = 3;
    makeLowRank(network, 'fc', { rank });
    const [u, v] = ['u', 'v'].map(name => network.tensor(`fc.${name}.weight`).toFloat64()) as [
      Float64Array,
      Float64Array,
    ];
    const left = Array.from({ length: 54 }, (_, i) => {
      const [row, col] = [Math.floor(i / 9), i % 9];
      return [0, 1, 2].reduce((rest, k) => rest - u[row * rank + k]! * v[k * 9 + col]!, w[i]!);
    });
    expect(squares(left) / tail(w, 6, 9, rank)).toBeCloseTo(1, 5);
    expect(squares(u) / squares(v)).toBeCloseTo(1, 5);
  });

  it.each(['spatial', 'channel'] as const)(
    'keeps the best approximation of a kernel: what a %s product computes, impulse by impulse',
    async convolution => {
      const network = layerNetwork([3, 5, 5], (scope, x) =>
        conv2d(scope.at('conv'), x, {
          inChannels: 3,
          outChannels: 4,
          kernelSize: 3,
          padding: 1,
          bias: false,
          weightInit: normal(),
        }),
      );
      // An impulse in the middle of one channel: the outputs are the kernel of that channel, turned around.
      const impulses = Tensor.float32(
        [3, 3, 5, 5],
        Array.from({ length: 225 }, (_, i) =>
          i % 25 === 12 && Math.floor(i / 75) === Math.floor(i / 25) % 3 ? 1 : 0,
        ),
      );
      const w = network.tensor('conv.weight').toFloat64();
      const dense = (await outputs(network, impulses)).toFloat64();
      expect(squares(dense) / squares(w)).toBeCloseTo(1, 5);
      const [rank, rows, cols] = convolution === 'spatial' ? [5, 12, 9] : [2, 4, 27];
      makeLowRank(network, 'conv', { rank, convolution });
      const low = (await outputs(network, impulses)).toFloat64();
      const error = squares(dense.map((value, i) => value - low[i]!));
      const order = (i: number): number => {
        if (convolution === 'channel') return i;
        const [row, col] = [Math.floor(i / cols), i % cols]; // (out, kh | in, kw)
        return ((Math.floor(row / 3) * 3 + Math.floor(col / 3)) * 3 + (row % 3)) * 3 + (col % 3);
      };
      const permuted = w.map((_, i) => w[order(i)]!);
      expect(error / tail(permuted, rows, cols, rank)).toBeCloseTo(1, 4);
    },
  );
});

describe('plain initialization', () => {
  it('draws each factor as the layer draws a weight of that shape', () => {
    const network = cifarResNet({ depth: 8, width: 2 });
    makeLowRank(network, 'layer3.0.conv2', { rank: 96, init: 'plain' });
    for (const name of ['u', 'v']) {
      const { fanIn, dims } = network.parameter(`layer3.0.conv2.${name}.weight`);
      const data = network.tensor(`layer3.0.conv2.${name}.weight`).toFloat64();
      expect(fanIn).toBe(dims[1]! * 3);
      expect(squares(data) / data.length / (2 / fanIn)).toBeCloseTo(1, 1);
    }
  });
});

describe('factorize', () => {
  it('leaves the first convolution and the classifier dense', () => {
    const paths = (network: Network) =>
      factorize(network, { rank: { scale: 0.1 } }).layers.map(({ path }) => path);
    const resnet = paths(cifarResNet({ depth: 8, shortcut: 'conv' }));
    expect(resnet).toEqual([
      ...[1, 2, 3].flatMap(stage => [
        `layer${stage}.0.conv1`,
        `layer${stage}.0.conv2`,
        ...(stage > 1 ? [`layer${stage}.0.shortcut.0`] : []),
      ]),
    ]);
    const text = paths(bert({ vocabulary: 5, features: 8, depth: 1, heads: 2, maxTokens: 4, head: 'span' }));
    expect(text).toHaveLength(6);
    expect(text).not.toContain('qa_outputs');
    expect(paths(vit({ imageSize: 16, patchSize: 8, features: 12, heads: 3, depth: 1 }))).toEqual([
      'blocks.0.attn.qkv',
      'blocks.0.attn.proj',
      'blocks.0.mlp.fc1',
      'blocks.0.mlp.fc2',
    ]);
  });

  it('uses the ranks of the published code: scale times rows of a kernel, the shorter side of a matrix', () => {
    const network = vit({ imageSize: 16, patchSize: 8, features: 12, heads: 3, depth: 1 });
    const { layers } = factorize(network, { rank: { scale: 0.25 } });
    expect(layers.map(({ rank }) => rank)).toEqual([3, 3, 3, 3]);
    const resnet = factorize(cifarResNet({ depth: 8 }), { rank: { scale: 0.1 } });
    expect(resnet.layers.map(({ rank }) => rank)).toEqual([5, 5, 10, 10, 19, 19]);
  });

  it.each([0.05, 0.1, 0.3, 0.7])('hits %f of the parameters to within one rank', share => {
    const network = cifarResNet({ depth: 20 });
    const before = network.parameterCount();
    const { layers, after, scale } = factorize(network, { rank: { parameters: share } });
    expect(after.parameters).toBe(network.parameterCount());
    expect(after.parameters).toBeLessThanOrEqual(share * before);
    const [smallest] = layers
      .filter(({ rank }) => rank !== undefined)
      .map(({ rows, cols }) => rows + cols)
      .sort((a, b) => a - b);
    expect(after.parameters + smallest!).toBeGreaterThan(share * before);
    for (const { rows, cols, rank } of layers) {
      if (rank === undefined) continue;
      expect(Math.abs(rank - scale! * rows)).toBeLessThan(1.51);
      expect(rank * (rows + cols)).toBeLessThan(rows * cols);
    }
  });

  it('keeps ranks to multiples', () => {
    const network = cifarResNet({ depth: 20 });
    const { layers, before, after } = factorize(network, { rank: { parameters: 0.3 }, multipleOf: 8 });
    const ranks = layers.map(({ rank }) => rank!);
    expect(ranks.every(rank => rank % 8 === 0)).toBe(true);
    expect(new Set(ranks).size).toBeGreaterThan(1);
    expect(after.parameters).toBeLessThanOrEqual(0.3 * before.parameters);
    expect(after.parameters + 8 * 96).toBeGreaterThan(0.3 * before.parameters);
    const scaled = factorize(cifarResNet({ depth: 8 }), { rank: { scale: 0.1 }, multipleOf: 8 });
    expect(scaled.layers.map(({ rank }) => rank)).toEqual([8, 8, 8, 8, 16, 16]);
  });

  it('hits FLOPs and bytes, counted on what comes out', () => {
    for (const flops of [0.3, 30e6]) {
      const { before, after } = factorize(cifarResNet({ depth: 20 }), { rank: { flops } });
      const budget = flops > 1 ? flops : flops * before.flops!;
      expect(after.flops! / budget).toBeLessThanOrEqual(1);
      expect(after.flops! / budget).toBeGreaterThan(0.98);
    }
    const network = cifarResNet({ depth: 20 });
    const bytes = 200_000;
    factorize(network, { rank: { bytes } });
    expect(4 * network.parameterCount('all')).toBeLessThanOrEqual(bytes);
    expect(4 * network.parameterCount('all')).toBeGreaterThan(bytes - 4 * 96);
  });

  it('chooses ranks by what a trained weight holds', () => {
    const network = layerNetwork([6], (scope, x) =>
      linear(scope.at('fc'), x, { inFeatures: 6, outFeatures: 6 }),
    );
    const diagonal = [4, 2, 1, 0.5, 0, 0];
    network.setTensor(
      'fc.weight',
      Tensor.float32(
        [6, 6],
        Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? diagonal[i / 7]! : 0)),
      ),
    );
    const rankBy = (rank: { energy: number } | { stableRank: number }) => {
      const again = layerNetwork([6], (scope, x) =>
        linear(scope.at('fc'), x, { inFeatures: 6, outFeatures: 6 }),
      );
      again.setTensor('fc.weight', network.tensor('fc.weight'));
      return factorize(again, { rank, layers: /fc/, onlySmaller: false }).layers[0]!.rank;
    };
    expect(rankBy({ energy: 0.75 })).toBe(1); // 16 of 21.25
    expect(rankBy({ energy: 0.9 })).toBe(2);
    expect(rankBy({ energy: 1 })).toBe(4);
    expect(rankBy({ stableRank: 1 })).toBe(2); // 21.25 / 16 rounded up
    expect(rankBy({ stableRank: 2 })).toBe(3);
  });

  it('prints what changed', () => {
    const lines: string[] = [];
    factorize(cifarResNet({ depth: 8 }), { rank: { parameters: 0.25 }, print: text => lines.push(text) });
    const [table] = lines;
    expect(table).toMatch(/^layer +matrix +rank +parameters +FLOPs/);
    expect(table).toMatch(/layer3\.0\.conv2 +192 × 192 spatial +\d+ +36\.9k → [\d.]+k +\d+\.\d% +4\.72M → /);
    expect(table).toMatch(/network +75\.3k → 18\.\dk +\d\d\.\d% +\d/);
  });

  it('refuses what makes no sense', () => {
    const network = () => vgg({ depth: 11, head: 'cifar', classes: 10 });
    expect(() => factorize(network(), { rank: { scale: 2 } })).toThrow(
      /scale must be a number above 0 and at most 1/,
    );
    expect(() => factorize(network(), { rank: { rank: 1.5 } })).toThrow(/whole number/);
    expect(() => factorize(network(), { rank: { parameters: 1e-4 } })).toThrow(/at rank 1 throughout/);
    expect(() => factorize(network(), { rank: { scale: 0.1 }, layers: /nothing/ })).toThrow(/no layer/);
    expect(() => makeLowRank(network(), 'features.4', { rank: 0 })).toThrow(/1 to 192/);
    expect(() => makeLowRank(network(), 'nowhere', { rank: 1 })).toThrow(/no linear layer/);
  });

  it('factorizes an imported graph', async () => {
    const graph = new Graph('model');
    const x = graph.addInput('x', tensorType('float32', ['batch', 2, 6, 6]));
    const constant = (dims: number[], name: string) => graph.constant(wave(dims, dims.length), name);
    const conv = (input: typeof x, dims: number[], name: string) =>
      graph.op('Conv', [input, constant(dims, `${name}.weight`), constant([dims[0]!], `${name}.bias`)], {
        pads: [1, 1, 1, 1],
      });
    const maps = graph.op('Relu', [conv(graph.op('Relu', [conv(x, [4, 2, 3, 3], 'a')]), [5, 4, 3, 3], 'b')]);
    const flat = graph.op('Flatten', [maps]);
    const hidden = graph.op('Relu', [graph.op('MatMul', [flat, constant([180, 8], 'hidden')])]);
    graph.addOutput(graph.op('Gemm', [hidden, constant([3, 8], 'head')], { transB: 1 }), 'y').type =
      tensorType('float32', ['batch', 3]);
    const model = new Model(graph);
    model.opsets.set('', 17);
    const network = importedNetwork(trainable(model));
    const images = wave([2, 2, 6, 6]);
    const before = await outputs(network, images);
    const { layers } = factorize(network, { rank: { scale: 1 }, onlySmaller: false });
    expect(layers.map(({ path }) => path)).toEqual(['b', 'hidden']);
    expectClose(await outputs(network, images), before, 1e-5);
  });
});
