import { WhittleError } from '../../graph/errors.js';
import type { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import {
  type ConvLayer,
  conv1d,
  conv2d,
  initializerFor,
  type LinearLayer,
  linear,
  type Network,
  replaceLayer,
  type Scope,
} from '../../nn/index.js';
import { factorTensors } from './factors.js';
import { formFor, type Geometry, type MatrixForm, matrixShape, toMatrix } from './matricize.js';
import { spectralFactors } from './spectral.js';

/** A layer whose weight can become a product. */
export type DenseLayer = LinearLayer | ConvLayer;

/**
 * How factors start: `spectral` from the decomposition of the layer's present weight, `plain` each drawn for itself as
 * the layer's own initializer draws a weight of its shape.
 */
export type FactorInit = 'spectral' | 'plain';

export interface LowRankOptions {
  readonly rank: number;
  /** Default `spectral`. */
  readonly init?: FactorInit;
  /**
   * How kernels are read as matrices: `spatial` (out·kh) × (in·kw), which runs as a 1×kw and then a kh×1 convolution,
   * or `channel` out × (in·kh·kw), a kh×kw convolution to few channels and then a 1×1. Default `spatial`.
   */
  readonly convolution?: 'spatial' | 'channel';
}

/**
 * Puts two factors with nothing between them in the place of a linear layer or a convolution: `path.v`, which goes
 * down to `rank` features, and `path.u`, which has the bias. Both are layers of their own. Stride, padding and dilation
 * of a convolution are split between them, so that at full rank the outputs are those of the layer.
 * @throws WhittleError for a rank outside 1 … min(rows, cols), and for layers that are neither
 */
export function makeLowRank(network: Network, path: string, options: LowRankOptions): void {
  const { rank, init = 'spectral', convolution = 'spatial' } = options;
  const layer = denseLayer(network, path);
  const form = formFor(layer, convolution);
  assertRank(path, rank, matrixShape(layer, form));
  const spectral =
    init === 'spectral'
      ? factorTensors(
          layer,
          form,
          spectralFactors(toMatrix(layer, form, network.tensor(layer.weight.name)), rank),
        )
      : undefined;
  const bias = layer.bias && { tensor: network.tensor(layer.bias.name), trainable: layer.bias.trainable };
  replaceLayer(network, path, scope => factors(scope, layer, form, options));
  if (spectral) {
    network.setTensor(`${path}.u.weight`, spectral.u);
    network.setTensor(`${path}.v.weight`, spectral.v);
  }
  if (bias) moveBias(network, `${path}.u.bias`, bias);
}

/** @throws WhittleError where a layer is neither linear nor a convolution */
export function denseLayer(network: Network, path: string): DenseLayer {
  const layer = network.layers.get(path);
  if (layer?.kind === 'linear' || layer?.kind === 'conv') return layer;
  throw new WhittleError(`the network has no linear layer or convolution "${path}"`, {
    hint:
      network.layers.size === 0
        ? 'recordLayers(network) finds those of an imported graph'
        : 'network.layers has their paths',
  });
}

function assertRank(path: string, rank: number, { rows, cols }: { rows: number; cols: number }): void {
  if (Number.isInteger(rank) && rank >= 1 && rank <= Math.min(rows, cols)) return;
  throw new WhittleError(
    `the rank of "${path}", a ${rows} × ${cols} matrix, must be a whole number from 1 to ${Math.min(rows, cols)}, not ${rank}`,
  );
}

export function moveBias(
  network: Network,
  name: string,
  { tensor, trainable }: { readonly tensor: Tensor; readonly trainable: boolean },
): void {
  network.setTensor(name, tensor);
  network.parameter(name).trainable = trainable;
}

function factors(scope: Scope, layer: DenseLayer, form: MatrixForm, { rank }: LowRankOptions): Value {
  const { network, path } = scope;
  const weightInit = initializerFor(layer.weight);
  const ends = { v: { bias: false, weightInit }, u: { bias: layer.bias !== undefined, weightInit } };
  const narrow = scope.at('v');
  const wide = scope.at('u');
  let output: Value;
  if (layer.kind === 'linear') {
    const { inFeatures, outFeatures } = layer;
    const x = linear(narrow, layer.input, { ...ends.v, inFeatures, outFeatures: rank });
    output = linear(wide, x, { ...ends.u, inFeatures: rank, outFeatures });
  } else {
    const conv = layer.kernelSize.length === 1 ? conv1d : conv2d;
    const { first, second } = splitConv(layer, form);
    const x = conv(narrow, layer.input, {
      ...ends.v,
      ...first,
      inChannels: layer.inChannels,
      outChannels: rank,
    });
    output = conv(wide, x, { ...ends.u, ...second, inChannels: rank, outChannels: layer.outChannels });
  }
  network.factorized.set(path, {
    path,
    input: layer.input,
    output,
    form,
    factors: [`${path}.u.weight`, `${path}.v.weight`],
    composed: false,
    bias: layer.bias && `${path}.u.bias`,
    dense: geometryOf(layer),
  });
  return output;
}

/** What a layer computes, without its place. */
export function geometryOf(layer: DenseLayer): Geometry {
  const { weight: _weight, bias: _bias, path: _path, input: _input, output: _output, ...geometry } = layer;
  return geometry;
}

type Window = Pick<ConvLayer, 'kernelSize' | 'stride' | 'padding' | 'dilation'>;

/** The windows of the two convolutions: columns first and then rows, or all of it first. */
function splitConv(layer: ConvLayer, form: MatrixForm): { first: Window; second: Window } {
  const { kernelSize, stride, padding, dilation } = layer;
  if (form === 'channel') {
    const ones = kernelSize.map(() => 1);
    const point = { kernelSize: ones, stride: ones, padding: ones.map(() => 0), dilation: ones };
    return { first: { kernelSize, stride, padding, dilation }, second: point };
  }
  // Rows of zeros stay zeros in the first, since it has no bias: all padding of rows may come second.
  return {
    first: {
      kernelSize: [1, kernelSize[1]!],
      stride: [1, stride[1]!],
      padding: [0, padding[1]!],
      dilation: [1, dilation[1]!],
    },
    second: {
      kernelSize: [kernelSize[0]!, 1],
      stride: [stride[0]!, 1],
      padding: [padding[0]!, 0],
      dilation: [dilation[0]!, 1],
    },
  };
}
