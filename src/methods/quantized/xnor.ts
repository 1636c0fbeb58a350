import { stopGradient, straightThrough } from '../../graph/autodiff/index.js';
import type { Builder } from '../../graph/ops/builder.js';
import { sizeOf } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { flag } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { meanSizes, signCode, weightMatrix } from './codes.js';
import { type LayerContext, outputAxis, summedAxes } from './layers.js';
import { type QuantizedOptions, quantizedMethod } from './quantized-method.js';
import { LAYERS } from './select.js';
import { clip, signOf } from './straight-through.js';

export interface XnorOptions extends QuantizedOptions {
  /** Inputs are binary, too; without it this is the paper's Binary-Weight-Network. Default true. */
  readonly inputs?: boolean;
}

/**
 * XNOR-Net: weights are α·sign(W) with α = mean |W| of each filter, inputs sign(I), and the product is multiplied by K,
 * the mean |I| under the filter. So y = (sign(I) ∗ sign(W)) ⊙ K α.
 *
 * Gradients: of a weight (1/n + α·1[|w| ≤ 1]) times that of its binary form, n weights to a filter, as the paper has it;
 * of an input 1[|x| ≤ 1] times that of its sign, and what comes through K.
 * Rastegari et al., 2016, https://arxiv.org/abs/1603.05279. The paper puts a normalization in front of each such layer;
 * the order of the network stays as it is here.
 */
export function xnor({ inputs = true, layers = 'inner' }: XnorOptions = {}): TrainingMethod {
  return quantizedMethod({
    name: 'xnor',
    layers,
    zeros: false,
    weight({ b, weight, layer }) {
      const axes = summedAxes(layer);
      const size = stopGradient(b.graph, b.mean(b.op('Abs', [weight]), axes));
      const n = sizeOf(layer.weight.dims) / layer.weight.dims[outputAxis(layer)]!;
      const surrogate = b.add(b.mul(weight, 1 / n), b.mul(clip(b, weight, -1, 1), size));
      return straightThrough(b.graph, surrogate, b.mul(signOf(b, weight), size));
    },
    ...(inputs && {
      input: ({ b, input }: LayerContext) =>
        straightThrough(b.graph, clip(b, input, -1, 1), signOf(b, input)),
      outputScale: inputSizes,
    }),
    weightCodes(layer, read) {
      const matrix = weightMatrix(layer, read(layer.weight.name));
      const sizes = meanSizes(matrix);
      return [signCode(matrix, r => sizes[r]!)];
    },
  });
}

/** K: the mean |x| over the features of a row, or over the window of a filter and the channels of its group. */
function inputSizes({ b, layer, input }: LayerContext): Value {
  const sizes = b.op('Abs', [input]);
  if (layer.kind === 'linear') return b.mean(sizes, [-1]);
  const { kernelSize, stride, padding, dilation, groups, inChannels, outChannels } = layer;
  const window = { strides: stride, pads: [...padding, ...padding], dilations: dilation };
  // One map for all filters, or one for each: filters of different groups see other channels.
  if (groups === 1) return b.op('Conv', [b.mean(sizes, [1]), average(b, [1, 1, ...kernelSize])], window);
  const perGroup = inChannels / groups;
  const point = kernelSize.map(() => 1);
  const means =
    perGroup === 1
      ? sizes
      : b.op('Conv', [sizes, average(b, [groups, perGroup, ...point])], { group: groups });
  return b.op('Conv', [means, average(b, [outChannels, 1, ...kernelSize])], { group: groups, ...window });
}

/** Filters (outputs, inputs, …) that average; one number in a file. */
const average = (b: Builder, dims: readonly number[]): Value =>
  b.op('Expand', [b.scalar(1 / sizeOf(dims.slice(1))), b.ints(dims)]);

export const XNOR = defineMethod({
  name: 'xnor',
  family: 'quantized',
  summary: 'Weights are a sign and a size for each filter, inputs are signs.',
  paper: {
    title: 'XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks',
    authors: 'Rastegari, Ordonez, Redmon, Farhadi',
    year: 2016,
    url: 'https://arxiv.org/abs/1603.05279',
  },
  settings: {
    inputs: flag(true, 'inputs are binary, too; false is the Binary-Weight-Network'),
    layers: LAYERS,
  },
  create: xnor,
});
