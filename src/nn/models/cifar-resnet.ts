import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import { kaimingNormal } from '../initializers.js';
import { add, relu } from '../layers/activation.js';
import { conv2d } from '../layers/conv.js';
import { linear } from '../layers/linear.js';
import { batchNorm } from '../layers/normalization.js';
import { globalAveragePool } from '../layers/pool.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';

export interface CifarResNetOptions extends NetworkOptions {
  /** 6n + 2: 20, 32, 44, 56, 110, … */
  readonly depth: number;
  /** Multiplies the 16, 32 and 64 channels of the three stages; default 1. */
  readonly width?: number;
  /** Default 10. */
  readonly classes?: number;
  /** Default 3; 1 for gray images. */
  readonly channels?: number;
  /** Height and width of the images; default 32. */
  readonly imageSize?: number;
  /** How the skip connection changes its size: `pad` (option A, no parameters) or `conv` (option B). Default `pad`. */
  readonly shortcut?: 'pad' | 'conv';
}

/**
 * The ResNet for small images, `pixel_values` (batch, channels, height, width) → `logits` (batch, classes): three
 * stages of (depth − 2) / 6 basic blocks. Names as in the usual PyTorch version: `conv1`, `bn1`,
 * `layer1.0.conv1`, …, `linear`; `layer2.0.shortcut.0` and `.1` with option B.
 * @throws WhittleError for a depth that is not 6n + 2
 * He et al., "Deep residual learning", CVPR 2016, section 4.2.
 */
export function cifarResNet(options: CifarResNetOptions): Network {
  const { depth, width = 1, classes = 10, channels = 3, imageSize = 32, shortcut = 'pad' } = options;
  const blocks = blocksPerStage(depth);
  const widths = [16, 32, 64].map(base => Math.max(1, Math.round(base * width)));
  const network = new Network(options);
  const scope = new Scope(network);
  const images = network.input('pixel_values', 'float32', ['batch', channels, imageSize, imageSize]);

  let inChannels = widths[0]!;
  let x = convNorm(scope, images, '1', { inChannels: channels, outChannels: inChannels, stride: 1 });
  x = relu(scope, x);
  for (const [stage, outChannels] of widths.entries()) {
    for (let i = 0; i < blocks; i++) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      x = basicBlock(scope.at(`layer${stage + 1}`, i), x, { inChannels, outChannels, stride, shortcut });
      inChannels = outChannels;
    }
  }
  const pooled = globalAveragePool(scope, x); // (batch, channels)
  const logits = linear(scope.at('linear'), pooled, {
    inFeatures: inChannels,
    outFeatures: classes,
    weightInit: kaimingNormal(),
  });
  network.output('logits', logits);
  return network;
}

interface BlockOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
}

/** relu(bn(conv(relu(bn(conv x)))) + shortcut x) */
function basicBlock(
  scope: Scope,
  x: Value,
  { shortcut, ...options }: BlockOptions & { shortcut: 'pad' | 'conv' },
): Value {
  const { inChannels, outChannels, stride } = options;
  let y = relu(scope, convNorm(scope, x, '1', options));
  y = convNorm(scope, y, '2', { inChannels: outChannels, outChannels, stride: 1 });
  const same = stride === 1 && inChannels === outChannels;
  const skip = same
    ? x
    : shortcut === 'pad'
      ? paddedShortcut(scope, x, options)
      : projection(scope, x, options);
  return relu(scope, add(scope, y, skip));
}

/** A 3×3 convolution `conv{name}` and its BatchNorm `bn{name}`. */
function convNorm(scope: Scope, x: Value, name: string, options: BlockOptions): Value {
  const y = conv2d(scope.at(`conv${name}`), x, {
    ...options,
    kernelSize: 3,
    padding: 1,
    bias: false,
    weightInit: kaimingNormal(),
  });
  return batchNorm(scope.at(`bn${name}`), y, { features: options.outChannels });
}

/** Option A: every second pixel, and zeros for the channels that are new, half of them before and half after. */
function paddedShortcut(scope: Scope, x: Value, { inChannels, outChannels, stride }: BlockOptions): Value {
  const before = Math.floor((outChannels - inChannels) / 2);
  const after = outChannels - inChannels - before;
  const end = 2 ** 31 - 1;
  const halved = scope.op('Slice', [
    x,
    scope.int64(0, 0),
    scope.int64(end, end),
    scope.int64(2, 3),
    scope.int64(stride, stride),
  ]);
  return scope.op('Pad', [halved, scope.int64(0, before, 0, 0, 0, after, 0, 0)]);
}

/** Option B: a strided 1×1 convolution and BatchNorm. */
function projection(scope: Scope, x: Value, options: BlockOptions): Value {
  const y = conv2d(scope.at('shortcut', 0), x, {
    ...options,
    kernelSize: 1,
    bias: false,
    weightInit: kaimingNormal(),
  });
  return batchNorm(scope.at('shortcut', 1), y, { features: options.outChannels });
}

function blocksPerStage(depth: number): number {
  const blocks = (depth - 2) / 6;
  if (Number.isInteger(blocks) && blocks > 0) return blocks;
  throw new WhittleError(`a CIFAR ResNet of depth ${depth} does not exist`, {
    hint: 'Depths are 6n + 2: 20, 32, 44, 56, 110',
  });
}
