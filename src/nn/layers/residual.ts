import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import { type Initializer, kaimingNormal } from '../initializers.js';
import type { Scope } from '../scope.js';
import { add, relu } from './activation.js';
import { conv2d } from './conv.js';
import { batchNorm } from './normalization.js';

export interface ConvNormOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Odd: zeros at the edges keep the size. */
  readonly kernelSize: number;
  /** Default 1. */
  readonly stride?: number;
  /** Default normal with variance 2 / fanOut (He et al.), as in torchvision. */
  readonly weightInit?: Initializer;
}

/**
 * A convolution without bias under the first name, its BatchNorm under the second.
 * @param x (batch, inChannels, height, width)
 * @returns (batch, outChannels, ⌈height / stride⌉, ⌈width / stride⌉)
 * @throws WhittleError for an even kernel, and as `conv2d` does
 */
export function convNorm(
  scope: Scope,
  x: Value,
  [conv, norm]: readonly [string, string],
  options: ConvNormOptions,
): Value {
  const { outChannels, kernelSize, weightInit = kaimingNormal({ fan: 'out' }) } = options;
  const padding = (kernelSize - 1) / 2;
  if (!Number.isInteger(padding)) {
    throw new WhittleError(`a kernel of ${kernelSize} has no middle, so that no padding keeps the size`, {
      node: scope.at(conv).path,
      hint: 'Use an odd kernel size, or conv2d and batchNorm',
    });
  }
  const y = conv2d(scope.at(conv), x, { ...options, padding, bias: false, weightInit });
  return batchNorm(scope.at(norm), y, { features: outChannels });
}

export interface ResidualOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Default 1. */
  readonly stride?: number;
  /**
   * What the skip connection does where the block changes the size: `conv` (default, option B of the paper), a strided
   * 1×1 convolution and BatchNorm, or `pad` (option A, no parameters), every `stride`-th pixel and zeros for the
   * channels that are new.
   */
  readonly shortcut?: 'conv' | 'pad';
  /** What the convolution of the skip connection (`0`) and its BatchNorm (`1`) stand under; default `downsample`. */
  readonly shortcutName?: string;
  /** Of all convolutions; default normal with variance 2 / fanOut. */
  readonly weightInit?: Initializer;
}

/**
 * Two 3×3 convolutions around which x is carried: relu(bn2(conv2(relu(bn1(conv1 x)))) + shortcut x). The stride is in
 * the first. Named `conv1`, `bn1`, `conv2`, `bn2`, `downsample.0`, `downsample.1`, as in torchvision.
 * @param x (batch, inChannels, height, width)
 * @returns (batch, outChannels, ⌈height / stride⌉, ⌈width / stride⌉)
 * @throws WhittleError with `pad`, where the block has fewer channels after than before
 * He et al., "Deep residual learning", CVPR 2016, figure 5 left.
 */
export function basicBlock(scope: Scope, x: Value, options: ResidualOptions): Value {
  const { inChannels, outChannels } = options;
  let y = convNorm(scope, x, ['conv1', 'bn1'], {
    ...shared(options),
    inChannels,
    outChannels,
    kernelSize: 3,
  });
  y = convNorm(scope, relu(scope, y), ['conv2', 'bn2'], {
    ...shared(options),
    inChannels: outChannels,
    outChannels,
    kernelSize: 3,
    stride: 1,
  });
  return relu(scope, add(scope, y, shortcut(scope, x, options)));
}

export interface BottleneckOptions extends ResidualOptions {
  /** Channels of the 3×3 convolution; default a quarter of `outChannels`. */
  readonly middleChannels?: number;
}

/**
 * 1×1 down to `middleChannels`, 3×3, 1×1 up, around which x is carried. The stride is in the 3×3 convolution, as in
 * torchvision ("v1.5"). Named `conv1`, `bn1`, … `conv3`, `bn3`, `downsample.0`, `downsample.1`.
 * @param x (batch, inChannels, height, width)
 * @returns (batch, outChannels, ⌈height / stride⌉, ⌈width / stride⌉)
 * @throws WhittleError as `basicBlock` does
 * He et al., "Deep residual learning", CVPR 2016, figure 5 right.
 */
export function bottleneck(scope: Scope, x: Value, options: BottleneckOptions): Value {
  const { inChannels, outChannels, middleChannels: middle = outChannels / 4 } = options;
  const narrow = { ...shared(options), inChannels, outChannels: middle, kernelSize: 1, stride: 1 };
  let y = convNorm(scope, x, ['conv1', 'bn1'], narrow);
  const square = { ...shared(options), inChannels: middle, outChannels: middle, kernelSize: 3 };
  y = convNorm(scope, relu(scope, y), ['conv2', 'bn2'], square);
  const wide = { ...shared(options), inChannels: middle, outChannels, kernelSize: 1, stride: 1 };
  y = convNorm(scope, relu(scope, y), ['conv3', 'bn3'], wide);
  return relu(scope, add(scope, y, shortcut(scope, x, options)));
}

/** What the convolutions of a block have in common. */
const shared = ({
  stride = 1,
  weightInit,
}: ResidualOptions): Pick<ConvNormOptions, 'stride' | 'weightInit'> => ({
  stride,
  ...(weightInit && { weightInit }),
});

/** The skip connection: x itself, or x in the size that the block gives it. */
function shortcut(scope: Scope, x: Value, options: ResidualOptions): Value {
  const {
    inChannels,
    outChannels,
    stride = 1,
    shortcut: kind = 'conv',
    shortcutName = 'downsample',
  } = options;
  if (stride === 1 && inChannels === outChannels) return x;
  if (kind === 'pad') return paddedShortcut(scope, x, { inChannels, outChannels, stride });
  const projection = { ...shared(options), inChannels, outChannels, kernelSize: 1 };
  return convNorm(scope.at(shortcutName), x, ['0', '1'], projection);
}

/** Option A: half of the new channels stand before those that are there, and half after. */
function paddedShortcut(
  scope: Scope,
  x: Value,
  { inChannels, outChannels, stride }: { inChannels: number; outChannels: number; stride: number },
): Value {
  if (outChannels < inChannels) {
    throw new WhittleError(`a padded shortcut cannot lead from ${inChannels} to ${outChannels} channels`, {
      node: scope.path,
      hint: "Use shortcut: 'conv'",
    });
  }
  const before = Math.floor((outChannels - inChannels) / 2);
  const after = outChannels - inChannels - before;
  const end = 2 ** 31 - 1;
  const thinned = scope.op('Slice', [
    x,
    scope.int64(0, 0),
    scope.int64(end, end),
    scope.int64(2, 3),
    scope.int64(stride, stride),
  ]);
  return scope.op('Pad', [thinned, scope.int64(0, before, 0, 0, 0, after, 0, 0)]);
}
