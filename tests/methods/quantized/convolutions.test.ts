import { expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { xnor } from '../../../src/methods/quantized/index.js';
import { conv2d, Network, Scope } from '../../../src/nn/index.js';
import { Random } from '../../../src/random/random.js';
import { run } from '../../nn/run.js';
import { expectClose } from './one-layer.js';

interface Geometry {
  readonly channels: number;
  readonly outputs: number;
  readonly groups: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

const SIDE = 5;
const IMAGES = 2;

function convolution({ channels, outputs, groups, kernel, stride, padding }: Geometry) {
  const network = new Network({ training: true });
  const scope = new Scope(network);
  const x = network.input('x', 'float32', ['batch', channels, SIDE, SIDE]);
  const y = conv2d(scope.at('conv'), x, {
    inChannels: channels,
    outChannels: outputs,
    kernelSize: kernel,
    groups,
    stride,
    padding,
    bias: true,
  });
  network.output('y', y);
  return network;
}

/** y[n, o, i, j] as XNOR-Net defines it, written as sums: sign(0) is 1, and what padding adds is 0. */
function xnorNet(x: readonly number[], w: readonly number[], bias: readonly number[], geometry: Geometry) {
  const { channels, outputs, groups, kernel, stride, padding } = geometry;
  const [perGroup, out] = [channels / groups, Math.floor((SIDE + 2 * padding - kernel) / stride) + 1];
  const sign = (v: number) => (v >= 0 ? 1 : -1);
  const y: number[] = [];
  for (let n = 0; n < IMAGES; n++) {
    for (let o = 0; o < outputs; o++) {
      const first = Math.floor(o / (outputs / groups)) * perGroup;
      const filter = w.slice(o * perGroup * kernel ** 2, (o + 1) * perGroup * kernel ** 2);
      const alpha = filter.reduce((sum, v) => sum + Math.abs(v), 0) / filter.length;
      for (let i = 0; i < out; i++) {
        for (let j = 0; j < out; j++) {
          let [product, k] = [0, 0];
          for (let c = 0; c < perGroup; c++) {
            for (let p = 0; p < kernel; p++) {
              for (let q = 0; q < kernel; q++) {
                const [row, column] = [i * stride + p - padding, j * stride + q - padding];
                if (row < 0 || row >= SIDE || column < 0 || column >= SIDE) continue;
                const value = x[((n * channels + first + c) * SIDE + row) * SIDE + column]!;
                product += sign(value) * sign(filter[(c * kernel + p) * kernel + q]!);
                // A = mean of |I| over channels, K = A convolved with 1/(w·h).
                k += Math.abs(value) / perGroup / kernel ** 2;
              }
            }
          }
          y.push(product * k * alpha + bias[o]!);
        }
      }
    }
  }
  return y;
}

it.each<[string, Geometry]>([
  ['all channels', { channels: 3, outputs: 4, groups: 1, kernel: 3, stride: 1, padding: 1 }],
  ['with a stride', { channels: 2, outputs: 3, groups: 1, kernel: 2, stride: 2, padding: 0 }],
  ['in groups', { channels: 4, outputs: 6, groups: 2, kernel: 3, stride: 2, padding: 1 }],
  ['depthwise', { channels: 3, outputs: 3, groups: 3, kernel: 3, stride: 1, padding: 1 }],
  [
    'depthwise, two outputs a channel',
    { channels: 2, outputs: 4, groups: 2, kernel: 3, stride: 1, padding: 0 },
  ],
])('XNOR-Net of a convolution: (sign(I) ∗ sign(W)) ⊙ K α, %s', async (_, geometry) => {
  const network = convolution(geometry);
  const random = new Random(5);
  const draw = (length: number) => Array.from({ length }, () => Math.fround(2 * random.uniform() - 1));
  const { channels, outputs, groups, kernel } = geometry;
  const x = draw(IMAGES * channels * SIDE ** 2);
  const w = draw((outputs * channels * kernel ** 2) / groups);
  const bias = draw(outputs);
  network.setTensor('conv.weight', Tensor.float32([outputs, channels / groups, kernel, kernel], w));
  network.setTensor('conv.bias', Tensor.float32([outputs], bias));
  xnor({ layers: 'all' }).prepare!(network);
  // What averages is not kept for each output.
  const constants = [...network.graph.initializers].filter(({ name }) => !network.parameters.has(name));
  for (const value of constants) expect(Graph.constantOf(value)!.size).toBeLessThanOrEqual(4);
  const { y } = await run(network.toModel(), { x: Tensor.float32([IMAGES, channels, SIDE, SIDE], x) });
  expectClose(expect, [...y!.toFloat32()], xnorNet(x, w, bias, geometry));
});
