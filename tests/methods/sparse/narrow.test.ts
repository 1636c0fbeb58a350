import { expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { removeZeroChannels } from '../../../src/methods/sparse/zero-channels.js';
import {
  batchNorm,
  conv2d,
  exportForInference,
  linear,
  Network,
  relu,
  Scope,
} from '../../../src/nn/index.js';
import { exportTrained, train } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { run } from '../../nn/run.js';
import { brightHalves } from '../../train/tiny.js';
import { images, numbers, tinyMlp, tinySparse } from './tiny.js';

/** Two convolutions with BatchNorm, the second with a way around, and a linear layer. */
function residual(): Network {
  const network = new Network({ training: true, seed: 2 });
  const scope = new Scope(network);
  const conv = (path: string, x: Parameters<typeof relu>[1], inChannels: number) =>
    batchNorm(
      scope.at(`${path}.bn`),
      conv2d(scope.at(path), x, { inChannels, outChannels: 8, kernelSize: 3, padding: 1, bias: false }),
      { features: 8 },
    );
  const input = network.input('pixel_values', 'float32', ['batch', 1, 6, 6]);
  const first = relu(scope, conv('a', input, 1));
  const second = relu(scope, conv('b', first, 8));
  const third = relu(scope, scope.op('Add', [first, conv('c', second, 8)]));
  const flat = scope.reshape(third, 0, 8 * 36);
  network.output('logits', linear(scope.at('fc'), flat, { inFeatures: 8 * 36, outFeatures: 2 }));
  return network;
}

const narrow = async (settings: string) => (await combine([readMethod(`narrow:${settings}`)]))[0]!;

it('neurons go, with the weights that make and read them, and leave a smaller file that computes the same', async () => {
  const methods = [await narrow('width=0.5,interval=2')];
  const { network } = await train(tinySparse(methods));
  const model = exportTrained(network, methods);
  const dims = [...model.graph.initializers].map(({ initializer }) => (initializer as Tensor).dims.join('×'));
  expect(dims.sort()).toEqual(['2', '2×5', '5', '5×6', '6', '6×36'].sort());
  const { input } = await images(5, 9).batch([0, 1, 2, 3, 4]);
  const whole = await run(exportForInference(network), { input: input! });
  const small = await run(model, { input: input! });
  expectClose(small.logits!, whole.logits!, 1e-5);
});

it('channels of residual convolutions with BatchNorm too', async () => {
  for (const scope of ['uniform', 'global']) {
    const methods = [await narrow(`width=0.5,interval=2,scope=${scope}`)];
    const { network } = await train(
      tinySparse(methods, { network: residual(), data: { train: brightHalves(96, 1) } }),
    );
    const model = exportTrained(network, methods);
    const kernels = [...model.graph.nodes].flatMap(node =>
      node.opType === 'Conv' ? [(node.inputs[1]!.initializer as Tensor).dims] : [],
    );
    const [a, b, c] = kernels as [number[], number[], number[]];
    // Those of a and c are one stream; b lies between. Half of 16 channels in all.
    expect(a[0]).toBe(c[0]);
    expect(a[0]! + b[0]!).toBe(8);
    expect([b[1], c[1]]).toEqual([a[0], b[0]]);
    const { pixel_values } = await brightHalves(4, 9).batch([0, 1, 2, 3]);
    const whole = await run(exportForInference(network), { pixel_values: pixel_values! });
    const small = await run(model, { pixel_values: pixel_values! });
    expectClose(small.logits!, whole.logits!, 1e-5);
  }
});

it('a model without zero channels is left as it is', () => {
  const model = exportForInference(tinyMlp());
  expect(removeZeroChannels(model)).toBe(model);
});

it('a neuron that something reads stays, whatever makes it', () => {
  const network = tinyMlp();
  const weight = numbers(network.tensor('0.weight'));
  network.setTensor(
    '0.weight',
    Tensor.float32(
      [12, 36],
      weight.map((value, i) => (i < 36 ? 0 : value)),
    ),
  );
  // Its bias makes it a constant.
  const model = exportForInference(network);
  expect(removeZeroChannels(model)).toBe(model);
});
