import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import { type Initializer, uniformFanIn } from '../initializers.js';
import type { ConvGeometry } from '../layer.js';
import type { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

/** One number for all spatial dimensions, or one each. */
type Spatial = number | readonly number[];

export interface ConvOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: Spatial;
  /** Default 1. */
  readonly stride?: Spatial;
  /** Zeros added at both ends; default 0. */
  readonly padding?: Spatial;
  /** Default 1. */
  readonly dilation?: Spatial;
  /** Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default uniform in ±1/√fanIn, as in PyTorch, for weight and bias. */
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
}

/** @param x (batch, inChannels, length); see `conv2d` */
export const conv1d = (scope: Scope, x: Value, options: ConvOptions): Value => conv(scope, x, options, 1);

/**
 * Parameters: `weight` (outChannels, inChannels / groups, kernel height, kernel width), `bias`.
 * @param x (batch, inChannels, height, width)
 * @returns (batch, outChannels, ⌊(height + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1, likewise)
 * @throws WhittleError where the groups do not divide the channels, x has other channels, or no position is left
 */
export const conv2d = (scope: Scope, x: Value, options: ConvOptions): Value => conv(scope, x, options, 2);

function conv(scope: Scope, x: Value, options: ConvOptions, rank: number): Value {
  const { inChannels, outChannels, groups = 1, bias: hasBias = true } = options;
  const { weightInit = uniformFanIn, biasInit = uniformFanIn } = options;
  const each = (spatial: Spatial): readonly number[] =>
    typeof spatial === 'number' ? Array<number>(rank).fill(spatial) : spatial;
  const kernelSize = each(options.kernelSize);
  const stride = each(options.stride ?? 1);
  const padding = each(options.padding ?? 0);
  const dilation = each(options.dilation ?? 1);
  checkChannels(scope, x, inChannels, outChannels, groups);
  checkPositions(scope, x, { kernelSize, stride, padding, dilation });

  const weight = scope.parameter('weight', [outChannels, inChannels / groups, ...kernelSize], {
    kind: 'weight',
    initializer: weightInit,
  });
  const { fanIn, fanOut } = scope.network.parameter(weight.name);
  const bias = hasBias
    ? scope.parameter('bias', [outChannels], { kind: 'bias', initializer: biasInit, fanIn, fanOut })
    : null;
  const output = convolve(scope, x, weight, bias, { kernelSize, stride, padding, dilation, groups });
  scope.record({
    kind: 'conv',
    path: scope.path,
    input: x,
    output,
    weight: scope.network.parameter(weight.name),
    bias: bias ? scope.network.parameter(bias.name) : undefined,
    inChannels,
    outChannels,
    kernelSize,
    stride,
    padding,
    dilation,
    groups,
  });
  return output;
}

function checkChannels(
  scope: Scope,
  x: Value,
  inChannels: number,
  outChannels: number,
  groups: number,
): void {
  const node = scope.path;
  checkSizes({ inChannels, outChannels, groups }, { node });
  for (const [name, channels] of Object.entries({ inChannels, outChannels })) {
    if (channels % groups === 0) continue;
    throw new WhittleError(`${groups} groups do not divide the ${channels} channels of ${name}`, {
      node,
      hint: 'Choose a number of groups that divides the channels before and after',
    });
  }
  const given = x.shape?.[1];
  if (typeof given !== 'number' || given === inChannels) return;
  throw new WhittleError(`the convolution takes ${inChannels} channels and gets ${given}`, {
    node,
    hint: `Give inChannels ${given}, or check the layer before`,
  });
}

function checkPositions(
  scope: Scope,
  x: Value,
  geometry: Pick<ConvGeometry, 'kernelSize' | 'stride' | 'padding' | 'dilation'>,
): void {
  const node = scope.path;
  geometry.kernelSize.forEach((kernelSize, axis) => {
    const [stride, padding, dilation] = (['stride', 'padding', 'dilation'] as const).map(
      name => geometry[name][axis] ?? 0,
    ) as [number, number, number];
    checkSizes({ kernelSize, stride, dilation }, { node });
    if (!(Number.isInteger(padding) && padding >= 0)) {
      throw new WhittleError(`padding is ${padding}, which is no number of positions`, {
        node,
        hint: 'Give padding a whole number of at least 0',
      });
    }
    const size = x.shape?.[2 + axis];
    const span = dilation * (kernelSize - 1) + 1;
    if (typeof size !== 'number' || size + 2 * padding >= span) return;
    throw new WhittleError(`a kernel over ${span} positions does not fit into ${size + 2 * padding}`, {
      node,
      hint: 'Use a smaller kernel, more padding or larger inputs',
    });
  });
}

/** The convolution alone, with a weight (outChannels, inChannels / groups, ...kernelSize) that is there already. */
export const convolve = (
  scope: Scope,
  x: Value,
  weight: Value,
  bias: Value | null,
  {
    kernelSize,
    stride,
    padding,
    dilation,
    groups,
  }: Pick<ConvGeometry, 'kernelSize' | 'stride' | 'padding' | 'dilation' | 'groups'>,
): Value =>
  scope.op('Conv', bias ? [x, weight, bias] : [x, weight], {
    kernel_shape: kernelSize,
    strides: stride,
    pads: [...padding, ...padding],
    dilations: dilation,
    group: groups,
  });
