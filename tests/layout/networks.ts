import fc from 'fast-check';
import {
  activation,
  averagePool2d,
  batchNorm,
  conv2d,
  globalAveragePool,
  linear,
  maxPool2d,
  Network,
  Scope,
} from '../../src/nn/index.js';

/** One block of a random network. */
export interface Block {
  readonly outChannels: number;
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly padded: boolean;
  readonly groups: 'one' | 'each' | 'halves';
  readonly bias: boolean;
  readonly norm: boolean;
  readonly residual: boolean;
  readonly activation: 'tanh' | 'sigmoid' | 'elu' | 'leaky-relu' | 'none';
  readonly pool: 'none' | 'max' | 'average';
}

export interface RandomNetwork {
  readonly batch: number;
  readonly channels: number;
  readonly size: readonly [number, number];
  readonly blocks: readonly Block[];
}

const block: fc.Arbitrary<Block> = fc.record({
  outChannels: fc.constantFrom(3, 4, 8, 10, 16, 17, 32),
  kernel: fc.constantFrom<[number, number][]>([1, 1], [3, 3], [1, 3], [3, 1], [2, 2], [5, 3]),
  stride: fc.constantFrom(1, 1, 2),
  padded: fc.boolean(),
  groups: fc.constantFrom('one', 'one', 'one', 'each', 'halves'),
  bias: fc.boolean(),
  norm: fc.boolean(),
  residual: fc.boolean(),
  activation: fc.constantFrom('tanh', 'sigmoid', 'elu', 'leaky-relu', 'none'),
  pool: fc.constantFrom('none', 'none', 'none', 'max', 'average'),
});

export const randomNetwork: fc.Arbitrary<RandomNetwork> = fc.record({
  batch: fc.constantFrom(1, 2, 3, 16, 17),
  channels: fc.constantFrom(1, 3, 5, 16, 20),
  size: fc.constantFrom<[number, number][]>([8, 8], [7, 9], [6, 4]),
  blocks: fc.array(block, { minLength: 1, maxLength: 4 }),
});

export const CLASSES = 5;

/** Convolution, BatchNorm, residual, activation, pool, as often as asked for; then a linear classifier. */
export function build({ batch, channels, size, blocks }: RandomNetwork): Network {
  const network = new Network({ training: true, seed: 3 });
  const scope = new Scope(network);
  let x = network.input('images', 'float32', ['batch', channels, ...size]);
  let inChannels = channels;
  blocks.forEach((options, i) => {
    const at = scope.at(`block${i}`);
    const groups = options.groups === 'each' ? inChannels : options.groups === 'halves' ? 2 : 1;
    const fits = options.groups !== 'halves' || (inChannels % 2 === 0 && options.outChannels % 2 === 0);
    const [height, width] = (x.shape ?? []).slice(2) as [number, number];
    const kernelSize = [Math.min(options.kernel[0], height), Math.min(options.kernel[1], width)];
    const outChannels = options.groups === 'each' ? inChannels : options.outChannels;
    let y = conv2d(at.at('conv'), x, {
      inChannels,
      outChannels,
      kernelSize,
      stride: options.stride,
      padding: options.padded ? kernelSize.map(k => k >> 1) : 0,
      groups: fits ? groups : 1,
      bias: options.bias,
    });
    // Few numbers normalize to ±1 whatever they are, and their gradients are rounding alone.
    const count = (y.shape!.slice(2) as number[]).reduce((product, d) => product * d, batch);
    if (options.norm && count >= 8) y = batchNorm(at.at('bn'), y, { features: outChannels });
    const same = x.shape!.slice(1).join() === y.shape!.slice(1).join();
    if (options.residual && same) y = at.op('Add', [y, x]);
    if (options.activation !== 'none') y = activation(at, y, options.activation);
    const large = y.shape!.slice(2).every(d => (d as number) >= 2);
    if (options.pool === 'max' && large) y = maxPool2d(at, y, { kernelSize: 2 });
    if (options.pool === 'average' && large) y = averagePool2d(at, y, { kernelSize: 2 });
    x = y;
    inChannels = outChannels;
  });
  const pooled = globalAveragePool(scope, x);
  network.output(
    'logits',
    linear(scope.at('head'), pooled, { inFeatures: inChannels, outFeatures: CLASSES }),
  );
  return network;
}
