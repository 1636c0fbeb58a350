import { WhittleError } from '../../graph/errors.js';
import { kaimingNormal } from '../initializers.js';
import { relu } from '../layers/activation.js';
import { linear } from '../layers/linear.js';
import { globalAveragePool } from '../layers/pool.js';
import { basicBlock, convNorm } from '../layers/residual.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { scaledWidths } from '../sizes.js';

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
  const widths = scaledWidths([16, 32, 64], width);
  const network = new Network(options);
  const scope = new Scope(network);
  const images = network.input('pixel_values', 'float32', ['batch', channels, imageSize, imageSize]);

  const weightInit = kaimingNormal();
  let inChannels = widths[0]!;
  const stem = { inChannels: channels, outChannels: inChannels, kernelSize: 3, weightInit };
  let x = relu(scope, convNorm(scope, images, ['conv1', 'bn1'], stem));
  for (const [stage, outChannels] of widths.entries()) {
    for (let i = 0; i < blocks; i++) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      x = basicBlock(scope.at(`layer${stage + 1}`, i), x, {
        inChannels,
        outChannels,
        stride,
        shortcut,
        shortcutName: 'shortcut',
        weightInit,
      });
      inChannels = outChannels;
    }
  }
  const pooled = globalAveragePool(scope, x); // (batch, channels)
  const logits = linear(scope.at('linear'), pooled, {
    inFeatures: inChannels,
    outFeatures: classes,
    weightInit,
  });
  network.output('logits', logits);
  return network;
}

function blocksPerStage(depth: number): number {
  const blocks = (depth - 2) / 6;
  if (Number.isInteger(blocks) && blocks > 0) return blocks;
  throw new WhittleError(`a CIFAR ResNet of depth ${depth} does not exist`, {
    hint: 'Depths are 6n + 2: 20, 32, 44, 56, 110',
  });
}
