import { WhittleError } from '../../graph/errors.js';
import { relu } from '../layers/activation.js';
import { linear } from '../layers/linear.js';
import { globalAveragePool, maxPool2d } from '../layers/pool.js';
import { basicBlock, bottleneck, convNorm } from '../layers/residual.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { scaledWidths } from '../sizes.js';

/** Blocks of each stage, and how many times wider a block's output is than its middle. */
const DEPTHS: Readonly<Record<number, { blocks: readonly number[]; expansion: 1 | 4 }>> = {
  18: { blocks: [2, 2, 2, 2], expansion: 1 },
  34: { blocks: [3, 4, 6, 3], expansion: 1 },
  50: { blocks: [3, 4, 6, 3], expansion: 4 },
  101: { blocks: [3, 4, 23, 3], expansion: 4 },
  152: { blocks: [3, 8, 36, 3], expansion: 4 },
};

export interface ResNetOptions extends NetworkOptions {
  /** 18, 34, 50, 101 or 152. */
  readonly depth: number;
  /** Default 1000. */
  readonly classes?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Height and width of the images; default 224. Any size works: the head averages. */
  readonly imageSize?: number;
  /** Multiplies all widths; default 1. */
  readonly width?: number;
}

/**
 * The ImageNet ResNet, `pixel_values` (batch, channels, height, width) → `logits` (batch, classes), named as in
 * torchvision: `conv1`, `bn1`, `layer1.0.conv1`, `layer2.0.downsample.0`, …, `fc`. The stride of a bottleneck is in
 * its 3×3 convolution, as there ("v1.5").
 * @throws WhittleError for a depth that does not exist
 * He et al., "Deep residual learning", CVPR 2016, table 1.
 */
export function resNet(options: ResNetOptions): Network {
  const { depth, classes = 1000, channels = 3, imageSize = 224, width = 1 } = options;
  const layout = DEPTHS[depth];
  if (!layout) {
    throw new WhittleError(`a ResNet of depth ${depth} does not exist`, {
      hint: `Depths are ${Object.keys(DEPTHS).join(', ')}; see also cifarResNet`,
    });
  }
  const widths = scaledWidths([64, 128, 256, 512], width);
  const network = new Network(options);
  const scope = new Scope(network);
  const images = network.input('pixel_values', 'float32', ['batch', channels, imageSize, imageSize]);

  const stem = { inChannels: channels, outChannels: widths[0]!, kernelSize: 7, stride: 2 };
  let x = relu(scope, convNorm(scope, images, ['conv1', 'bn1'], stem));
  x = maxPool2d(scope, x, { kernelSize: 3, stride: 2, padding: 1 });
  let inChannels = widths[0]!;
  const block = layout.expansion === 1 ? basicBlock : bottleneck;
  for (const [stage, count] of layout.blocks.entries()) {
    for (let i = 0; i < count; i++) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      const outChannels = widths[stage]! * layout.expansion;
      x = block(scope.at(`layer${stage + 1}`, i), x, { inChannels, outChannels, stride });
      inChannels = outChannels;
    }
  }
  const pooled = globalAveragePool(scope, x); // (batch, channels)
  network.output('logits', linear(scope.at('fc'), pooled, { inFeatures: inChannels, outFeatures: classes }));
  return network;
}
