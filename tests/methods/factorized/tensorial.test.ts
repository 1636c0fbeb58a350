import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/index.js';
import {
  collapse,
  frobeniusDecay,
  makeCp,
  makeTucker2,
  mergeFactors,
  tensorize,
} from '../../../src/methods/factorized/index.js';
import { cifarResNet, conv2d, type Network } from '../../../src/nn/index.js';
import { classification, StepRunner, sgd, trainingStep } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { layerNetwork, run } from '../../nn/run.js';

const wave = (dims: readonly number[], shift = 0): Tensor =>
  Tensor.float32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(7 * i * i + i + shift)),
  );
const outputs = async (network: Network, x: Tensor) =>
  Object.values(await run(network.toModel(), { [network.inputs[0]!.name]: x }))[0]!;

const options = {
  inChannels: 3,
  outChannels: 4,
  kernelSize: [3, 2],
  stride: [2, 1],
  padding: [1, 2],
  dilation: [1, 2],
};
const layer = (bias = true) =>
  layerNetwork([3, 7, 6], (scope, x) => conv2d(scope.at('c'), x, { ...options, bias }));
const x = wave([2, 3, 7, 6]);

describe('Tucker-2 and CP convolutions', () => {
  it('of full ranks are the convolution', async () => {
    const [dense, tucker] = [layer(), layer()];
    makeTucker2(tucker, 'c', [4, 3]);
    expectClose(await outputs(tucker, x), await outputs(dense, x), 1e-5);
    const squares = ['outputs', 'core', 'inputs'].map(name =>
      tucker
        .tensor(`c.${name}.weight`)
        .toFloat64()
        .reduce((sum, value) => sum + value * value, 0),
    );
    expect(squares[1]! / squares[0]!).toBeCloseTo(1, 5);
    expect(squares[2]! / squares[0]!).toBeCloseTo(1, 5);
  });

  it('of a kernel that is a sum of two terms has no error at CP rank 2', async () => {
    const dense = layer(false);
    const term = (size: number, shift: number) =>
      Array.from({ length: size }, (_, i) => Math.cos(3 * i + shift));
    const kernel = Array<number>(72).fill(0);
    for (const r of [0, 5]) {
      const [o, i, h, w] = [4, 3, 3, 2].map((size, axis) => term(size, r + axis)) as [
        number[],
        number[],
        number[],
        number[],
      ];
      let at = 0;
      for (const a of o)
        for (const c of i) for (const e of h) for (const g of w) kernel[at++]! += a * c * e * g;
    }
    dense.setTensor('c.weight', Tensor.float32([4, 3, 3, 2], kernel));
    const before = await outputs(dense, x);
    makeCp(dense, 'c', 2);
    expectClose(await outputs(dense, x), before, 1e-3);
  });

  it.each(['tucker2', 'cp'] as const)('%s: trains, and collapses with the same outputs', async form => {
    const network = cifarResNet({ depth: 8, imageSize: 8, width: 0.5, training: true });
    const paths = tensorize(network, { form, scale: 0.4, init: form === 'cp' ? 'plain' : 'spectral' });
    expect(paths).toHaveLength(6);
    const step = trainingStep(network, {
      objective: classification(),
      optimizer: sgd(),
      methods: [frobeniusDecay()],
    });
    const runner = await StepRunner.create(step, { threads: 1 });
    const batch = { pixel_values: wave([4, 3, 8, 8]), labels: Tensor.int64([0, 1, 2, 3]) };
    const losses: number[] = [];
    for (let i = 0; i < 6; i++)
      losses.push((await runner.run(batch, { learningRate: 0.05, weightDecay: 1e-3 })).loss!);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    await runner.release();

    const images = wave([2, 3, 8, 8], 1);
    const before = await outputs(network, images);
    expect(mergeFactors(network)).toEqual([]);
    expect(collapse(network)).toEqual(paths);
    expectClose(await outputs(network, images), before, 1e-5);
  });

  it('refuses layers that are no windows', () => {
    const network = cifarResNet({ depth: 8 });
    expect(() => makeCp(network, 'linear', 2)).toThrow(/no ungrouped convolution/);
    expect(() => tensorize(network, { scale: 0 })).toThrow(/scale/);
  });
});
