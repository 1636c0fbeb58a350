import { expect, it } from 'vitest';
import {
  abcNet,
  dorefa,
  learnedSteps,
  quantizationAware,
  xnor,
} from '../../../src/methods/quantized/index.js';
import { exportForInference, linear, mlp, Network, Scope } from '../../../src/nn/index.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { exportTrained, type TrainingMethod, type TrainingRun, train } from '../../../src/train/index.js';
import { compareExport, options, tinyNet, trainTiny } from './tiny.js';

const METHODS: Record<string, () => TrainingMethod> = {
  'qat int8': () => quantizationAware(),
  'qat int8, all layers': () => quantizationAware({ layers: 'all' }),
  'qat int4, inputs in float32': () => quantizationAware({ bits: 4, inputBits: 0 }),
  'lsq 4 bits': () => learnedSteps(),
  'lsq 8 bits, a step for each output': () => learnedSteps({ bits: 8, perOutput: true, layers: 'all' }),
  'lsq 3 bits, inputs of 4': () => learnedSteps({ bits: 3, inputBits: 4 }),
  'dorefa 1-2-6': () => dorefa(),
  'dorefa 4-8-32': () => dorefa({ bits: 4, inputBits: 8, gradientBits: 32 }),
  xnor: () => xnor(),
  'binary weights': () => xnor({ inputs: false }),
  'abc-net': () => abcNet(),
};

it.each(Object.keys(METHODS))('%s learns, and its export computes what it trained', async name => {
  const method = METHODS[name]!();
  const { losses, network } = await trainTiny(method, {
    network: tinyNet(name === 'xnor' ? 'tanh' : 'relu'),
    ...(name === 'xnor' && { updates: 60 }),
  });
  const mean = (part: readonly number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  expect(mean(losses.slice(-6))).toBeLessThan(0.9 * mean(losses.slice(0, 6)));
  const { trained, exported, integers } = await compareExport(network, method);
  const apart = (other: Float32Array) => trained.map((value, i) => Math.abs(value - other[i]!)).sort();
  expect(apart(exported).at(-1)).toBeLessThan(1e-4);
  // Kernels for integers add in another order, and round their biases: a sum that lies between two integers of the next
  // layer may fall to the other side.
  const distances = apart(integers);
  expect(distances[Math.floor(distances.length / 2)]).toBeLessThan(1e-4);
});

it('packs the bits of weights', async () => {
  const bytes = async (method: TrainingMethod, float = false): Promise<number> => {
    const network = mlp({ widths: [36, 256, 256, 2], inputShape: [1, 6, 6], training: true });
    method.prepare!(network);
    const model = float ? exportForInference(network) : exportTrained(network, [method]);
    return encodeToBytes(model).byteLength;
  };
  const weights = 36 * 256 + 256 * 256;
  const dense = await bytes(dorefa(), true);
  const sizes = await Promise.all([
    bytes(quantizationAware()),
    bytes(learnedSteps({ bits: 4 })),
    bytes(xnor()),
    bytes(abcNet({ weightBases: 2, inputBases: 0 })),
  ]);
  expect(dense).toBeGreaterThan(4 * weights);
  for (const [i, bits] of [8, 4, 1, 2].entries()) {
    // Besides: what the dense file has too (the classifier, biases, names), scales, and more operators.
    expect(sizes[i]! - (weights * bits) / 8).toBeGreaterThan(0);
    expect(sizes[i]! - (weights * bits) / 8).toBeLessThan(2.5 * (dense - 4 * weights));
  }
});

it('looks at the inputs of a network that takes one example at a time', async () => {
  const found: number[][] = [];
  for (const batch of ['batch', 1] as const) {
    const network = new Network({ training: true, seed: 4 });
    const scope = new Scope(network);
    const x = scope.reshape(network.input('input', 'float32', [batch, 1, 6, 6]), -1, 36);
    network.output('logits', linear(scope.at('head'), x, { inFeatures: 36, outFeatures: 2 }));
    const watcher: TrainingMethod = {
      name: 'watcher',
      started: (run: TrainingRun) => {
        found.push(['low', 'high'].map(end => run.read(`head.input_${end}`).toFloat32()[0]!));
      },
    };
    const method = quantizationAware({ layers: 'all' });
    const { evaluation } = await train(
      options([method, watcher], { network, updates: 1, batchSize: 1, learningRate: 0 }),
    );
    found.push([evaluation!.loss!]);
  }
  const [range, loss, ...others] = found;
  expect(range![1]).toBeGreaterThan(range![0]!);
  expect(others).toEqual([range, [expect.closeTo(loss![0]!, 3)]]);
});
