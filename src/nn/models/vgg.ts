import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import { kaimingNormal, normal, zeros } from '../initializers.js';
import { relu } from '../layers/activation.js';
import { conv2d } from '../layers/conv.js';
import { dropout } from '../layers/dropout.js';
import { linear } from '../layers/linear.js';
import { batchNorm } from '../layers/normalization.js';
import { averagePool2d, flatten, globalAveragePool, maxPool2d } from '../layers/pool.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { scaledWidths } from '../sizes.js';

/** 3×3 convolutions of each stage of 64, 128, 256, 512 and 512 channels; a stage ends with pooling. */
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};

export interface VggOptions extends NetworkOptions {
  /** 11, 13, 16 or 19. */
  readonly depth: number;
  /** BatchNorm after each convolution; default true. */
  readonly batchNorm?: boolean;
  /**
   * `imagenet`: 7 × 7 positions, two hidden layers of 4096 and dropout. `cifar`: mean over positions and one linear
   * layer `classifier`. Default `imagenet`.
   */
  readonly head?: 'imagenet' | 'cifar';
  /** Default 1000, with the CIFAR head 10. */
  readonly classes?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Height and width of the images, a multiple of 32; default 224, with the CIFAR head 32. */
  readonly imageSize?: number;
  /** Multiplies all widths; default 1. */
  readonly width?: number;
}

/**
 * VGG, `pixel_values` (batch, channels, height, width) → `logits` (batch, classes), named as in torchvision:
 * `features.0`, …, `classifier.0`, `classifier.3`, `classifier.6`.
 * @throws WhittleError for a depth that does not exist, and an image size that the pooling does not divide
 * Simonyan & Zisserman, ICLR 2015, table 1.
 */
export function vgg(options: VggOptions): Network {
  const { depth, head = 'imagenet', batchNorm: normalized = true, channels = 3, width = 1 } = options;
  const { imageSize = head === 'cifar' ? 32 : 224, classes = head === 'cifar' ? 10 : 1000 } = options;
  const stages = DEPTHS[depth];
  if (!stages) {
    throw new WhittleError(`a VGG of depth ${depth} does not exist`, {
      hint: `Depths are ${Object.keys(DEPTHS).join(', ')}`,
    });
  }
  const positions = imageSize / 32;
  if (!Number.isInteger(positions) || (head === 'imagenet' && 7 % positions !== 0 && positions % 7 !== 0)) {
    throw new WhittleError(`VGG with the ${head} head takes no images of size ${imageSize}`, {
      hint: head === 'cifar' ? 'Use a multiple of 32' : 'Use 32, or a multiple of 224',
    });
  }
  const widths = scaledWidths([64, 128, 256, 512, 512], width);
  const network = new Network(options);
  const scope = new Scope(network);
  let x: Value = network.input('pixel_values', 'float32', ['batch', channels, imageSize, imageSize]);

  let index = 0; // of the module in torchvision's Sequential
  let inChannels = channels;
  for (const [stage, count] of stages.entries()) {
    for (let i = 0; i < count; i++) {
      const outChannels = widths[stage]!;
      x = conv2d(scope.at('features', index++), x, {
        inChannels,
        outChannels,
        kernelSize: 3,
        padding: 1,
        weightInit: kaimingNormal({ fan: 'out' }),
        biasInit: zeros,
      });
      if (normalized) x = batchNorm(scope.at('features', index++), x, { features: outChannels });
      x = relu(scope.at('features', index++), x);
      inChannels = outChannels;
    }
    x = maxPool2d(scope.at('features', index++), x, { kernelSize: 2 });
  }
  network.output(
    'logits',
    head === 'cifar'
      ? linear(scope.at('classifier'), globalAveragePool(scope, x), {
          inFeatures: inChannels,
          outFeatures: classes,
        })
      : imageNetHead(scope, x, { inChannels, positions, classes, width }),
  );
  return network;
}

/** Three linear layers over 7 × 7 positions. */
function imageNetHead(
  scope: Scope,
  x: Value,
  options: { inChannels: number; positions: number; classes: number; width: number },
): Value {
  const { inChannels, positions, classes, width } = options;
  const hidden = Math.max(1, Math.round(4096 * width));
  const init = { weightInit: normal(0.01), biasInit: zeros };
  let y = flatten(scope, sevenBySeven(scope, x, positions)); // (batch, inChannels · 49)
  y = linear(scope.at('classifier', 0), y, { inFeatures: inChannels * 49, outFeatures: hidden, ...init });
  y = dropout(scope.at('classifier', 2), relu(scope.at('classifier', 1), y), 0.5);
  y = linear(scope.at('classifier', 3), y, { inFeatures: hidden, outFeatures: hidden, ...init });
  y = dropout(scope.at('classifier', 5), relu(scope.at('classifier', 4), y), 0.5);
  return linear(scope.at('classifier', 6), y, { inFeatures: hidden, outFeatures: classes, ...init });
}

/** What torchvision's adaptive average pooling to 7 × 7 does where the sizes divide each other. */
function sevenBySeven(scope: Scope, x: Value, positions: number): Value {
  if (positions === 7) return x;
  if (positions > 7) return averagePool2d(scope, x, { kernelSize: positions / 7 });
  return scope.op('Expand', [x, scope.int64(1, 1, 7, 7)]); // one position, repeated
}
