import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Model, Tensor } from '../../../src/graph/index.js';
import {
  collapse,
  exportFactorized,
  factorize,
  makeLowRank,
  makeOvercomplete,
  mergeFactors,
  mergeSlower,
  overcomplete,
  overcompleteTraining,
} from '../../../src/methods/factorized/index.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import {
  cifarResNet,
  conv2d,
  exportForInference,
  linear,
  mlp,
  type Network,
  vgg,
  vit,
} from '../../../src/nn/index.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { exportTrained, StepRunner, sgd, trainingStep } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { layerNetwork, run } from '../../nn/run.js';
import { smallBatch, squaredError } from '../../train/small.js';

const wave = (dims: readonly number[], shift = 0): Tensor =>
  Tensor.float32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(7 * i * i + i + shift)),
  );

/** Gives all parameters other values, as training does. */
function moved(network: Network): Network {
  let shift = 0;
  for (const { name, dims, kind } of network.parameters.values()) {
    if (kind === 'buffer') continue;
    const own = network.tensor(name).toFloat32();
    const noise = wave(dims, shift++).toFloat32();
    network.setTensor(
      name,
      Tensor.float32(
        dims,
        own.map((x, i) => x + 0.05 * noise[i]!),
      ),
    );
  }
  return network;
}

const images = wave([2, 3, 8, 8]);
const outputs = async (network: Network, feeds: Record<string, Tensor>) =>
  Object.values(await run(network.toModel(), feeds))[0]!;

const NETWORKS: readonly [string, () => Network][] = [
  ['ResNet', () => cifarResNet({ depth: 8, imageSize: 8, shortcut: 'conv' })],
  ['ViT', () => vit({ imageSize: 8, patchSize: 4, features: 12, heads: 3, depth: 1, classes: 5 })],
];

describe('collapse', () => {
  it.each(NETWORKS)(
    'keeps the outputs of a low-rank network, and gives layers their names back: %s',
    async (_, build) => {
      const network = build();
      const names = [...network.parameters.keys()].sort();
      const paths = [...network.layers.keys()].sort();
      factorize(network, { rank: { scale: 0.25 } });
      moved(network);
      const before = await outputs(network, { pixel_values: images });
      expect(collapse(network)).toHaveLength(_ === 'ViT' ? 4 : 8);
      expectClose(await outputs(network, { pixel_values: images }), before, 1e-5);
      expect([...network.parameters.keys()].sort()).toEqual(names);
      expect([...network.layers.keys()].sort()).toEqual(paths);
      // It can be factorized again, from the records that it left.
      factorize(network, { rank: { scale: 0.2 } });
      expect(network.factorized.size).toBeGreaterThan(0);
    },
  );

  it.each(
    NETWORKS.flatMap(([name, build]) =>
      (['wide', 'deep'] as const).flatMap(form =>
        (['spectral', 'plain'] as const).map(init => [name, form, init, build] as const),
      ),
    ),
  )('keeps the outputs of an overcomplete %s, %s, %s', async (_, form, init, build) => {
    const network = build();
    const dense = await outputs(network, { pixel_values: images });
    const parameters = network.parameterCount();
    overcomplete(network, { form, init, width: form === 'wide' ? 1.5 : 1 });
    expect(network.parameterCount()).toBeGreaterThan(parameters);
    if (init === 'spectral') expectClose(await outputs(network, { pixel_values: images }), dense, 1e-5);
    moved(network);
    const before = await outputs(network, { pixel_values: images });
    collapse(network);
    expect(network.parameterCount()).toBe(parameters);
    expectClose(await outputs(network, { pixel_values: images }), before, 1e-5);
  });

  it('of any convolution, in both forms', async () => {
    const side = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }));
    await fc.assert(
      fc.asyncProperty(
        fc.record({ kernelSize: side, stride: side, padding: side, bias: fc.boolean() }),
        fc.constantFrom('spatial' as const, 'channel' as const),
        fc.boolean(),
        async (options, convolution, low) => {
          const network = layerNetwork([3, 6, 7], (scope, x) =>
            conv2d(scope.at('c'), x, { inChannels: 3, outChannels: 4, ...options }),
          );
          if (low) makeLowRank(network, 'c', { rank: 2, convolution });
          else makeOvercomplete(network, 'c', { convolution, form: 'wide', width: 1.4 });
          const x = wave([1, 3, 6, 7]);
          const before = await outputs(network, { x });
          collapse(network);
          expectClose(await outputs(network, { x }), before, 1e-5);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('export', () => {
  it('merges layers that are larger or slower as factors, and only those', async () => {
    const network = cifarResNet({ depth: 8, imageSize: 8 });
    for (const [path, rank] of [
      ['layer1.0.conv1', 10], // of 24: smaller
      ['layer1.0.conv2', 30], // larger than dense
      ['layer2.0.conv1', 26], // smaller, but the first factor is at twice the rows: more operations
    ] as const) {
      makeLowRank(network, path, { rank });
    }
    moved(network);
    const before = await outputs(network, { pixel_values: images });
    const model = exportFactorized(network);
    const { logits } = await run(model, { pixel_values: images });
    expectClose(logits, before, 1e-5);
    const kernels = [...model.graph.initializers]
      .map(({ name }) => name)
      .filter(name => /^layer[12]\.0\.conv\d\..*weight/.test(name));
    expect(kernels.sort()).toEqual([
      'layer1.0.conv1.u.weight',
      'layer1.0.conv1.v.weight',
      'layer1.0.conv2.weight',
      'layer2.0.conv1.weight',
      'layer2.0.conv2.weight',
    ]);
    expect(network.factorized.size).toBe(3);
    expect(mergeFactors(network, { slowdown: 10 })).toHaveLength(3);
  });

  it('merges by measurement: what took longer, each kind of layer measured once', async () => {
    const network = cifarResNet({ depth: 14, imageSize: 8 });
    factorize(network, { rank: { scale: 0.2 } });
    moved(network);
    const before = await outputs(network, { pixel_values: images });
    const counts: number[] = [];
    const x = wave([1, 16, 8, 8]);
    // Says that thin convolutions are slow and those of more than 16 inputs worth it.
    const time = async (model: Model, input: Tensor) => {
      const { y } = await run(model, { x: input });
      counts.push(y!.dims[1]!);
      const convolutions = [...model.graph.nodes].length;
      return input.dims[1] === x.dims[1] ? convolutions : 1 / convolutions;
    };
    const merged = await mergeSlower(network, { time });
    expect(merged).toEqual([
      'layer1.0.conv1',
      'layer1.0.conv2',
      'layer1.1.conv1',
      'layer1.1.conv2',
      'layer2.0.conv1',
    ]);
    expect(counts).toEqual([16, 16, 32, 32, 32, 32, 64, 64, 64, 64]);
    expectClose(await outputs(network, { pixel_values: images }), before, 1e-5);
    const all = await mergeSlower(network, { session: { threads: 1 } });
    expect(all.every(path => !network.factorized.has(path))).toBe(true);
    expectClose(await outputs(network, { pixel_values: images }), before, 1e-5);
  });

  it('folds BatchNorm into the last factor and runs in ONNX Runtime with any batch', async () => {
    const network = vgg({
      depth: 11,
      head: 'cifar',
      classes: 4,
      batchNorm: true,
      width: 0.125,
      training: true,
    });
    factorize(network, { rank: { parameters: 0.3 } });
    const model = exportForInference(network);
    expect([...model.graph.nodes].some(({ opType }) => opType === 'BatchNormalization')).toBe(false);
    for (const batch of [1, 3]) {
      const { logits } = await run(model, { pixel_values: wave([batch, 3, 32, 32]) });
      expect(logits!.dims).toEqual([batch, 4]);
    }
  });
});

describe('overcomplete training', () => {
  it.each(['wide', 'deep'] as const)('%s: moves every factor, and Frobenius decay sees three', async form => {
    const network = mlp({ widths: [3, 4, 2], activation: 'tanh', training: true });
    const step = trainingStep(network, {
      objective: squaredError,
      optimizer: sgd(),
      methods: [overcompleteTraining({ form, width: 2, layers: /^0$/ })],
    });
    const runner = await StepRunner.create(step, { threads: 1 });
    const names = [...step.network.parameters.keys()].filter(
      name => name.startsWith('0.') && name !== '0.bias',
    );
    expect(names).toEqual(form === 'wide' ? ['0.u', '0.v'] : ['0.u', '0.m', '0.v']);
    const start = names.map(name => runner.states.read(name).toFloat64());
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) {
      losses.push((await runner.run(smallBatch(0), { learningRate: 0.1, weightDecay: 0.01 })).loss!);
    }
    names.forEach((name, i) => {
      const now = runner.states.read(name).toFloat64();
      expect(now.every((x, j) => x !== start[i]![j])).toBe(true);
    });
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    await runner.release();
  });

  it.each(['overcomplete', 'overcomplete:form=wide,width=2', 'overcomplete:layers=all'])(
    '%s leaves a file as small as the plain network, with the same outputs',
    async text => {
      for (const training of [cifarResNet({ depth: 8, imageSize: 8, training: true }), NETWORKS[1]![1]()]) {
        const plain = encodeToBytes(exportForInference(training)).byteLength;
        const [method] = await combine([readMethod(text)]);
        method!.prepare!(training);
        moved(training);
        const factors = training.parameterCount();
        const { logits } = await run(exportForInference(training), { pixel_values: images });
        const model = exportTrained(training, [method!]);
        expectClose((await run(model, { pixel_values: images })).logits, logits!, 1e-5);
        // Names of nodes may be longer by some letters.
        expect(encodeToBytes(model).byteLength).toBeLessThan(1.01 * plain);
        expect(training.parameterCount()).toBe(factors);
      }
    },
  );

  it('leaves thin factors of another method as they are', async () => {
    const network = NETWORKS[1]![1]();
    const [path] = [...network.layers.values()].flatMap(layer => (layer.kind === 'linear' ? layer.path : []));
    makeLowRank(network, path!, { rank: 1 });
    const method = overcompleteTraining({ layers: /^(?!.*\.[uv]$)/ });
    method.prepare!(network);
    const names = [...exportTrained(network, [method]).graph.initializers].map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([`${path}.u.weight`, `${path}.v.weight`]));
    expect(names.some(name => /\.[um]$/.test(name))).toBe(false);
  });

  it('refuses a width below 1', () => {
    const network = layerNetwork([3], (scope, x) =>
      linear(scope.at('fc'), x, { inFeatures: 3, outFeatures: 3 }),
    );
    expect(() => makeOvercomplete(network, 'fc', { width: 0.5 })).toThrow(/at least 1/);
    expect(() => overcomplete(network)).toThrow(/no layer/);
  });
});
