import { WhittleError } from '../../graph/errors.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { cp, matmul, matrix, transpose, tucker2 } from '../../linalg/index.js';
import {
  type ConvLayer,
  conv2d,
  ensureLayers,
  type FactorizedLayer,
  initializerFor,
  type Network,
  replaceLayer,
  type Scope,
} from '../../nn/index.js';
import { type DenseLayer, denseLayer, type FactorInit, geometryOf, moveBias } from './low-rank.js';
import { type LayerSelector, selectLayers } from './select.js';
import { squaredNorm } from './spectrum.js';

export interface TensorialOptions {
  /** `tucker2` 1×1, small kh×kw, 1×1; `cp` 1×1, 1×kw and kh×1 channel by channel, 1×1. Default `tucker2`. */
  readonly form?: 'tucker2' | 'cp';
  /** Ranks as shares: Tucker's of outputs and of inputs, CP's of the larger of the two. Default 0.5. */
  readonly scale?: number;
  /** Default `spectral`: the decomposition of the present kernel. */
  readonly init?: FactorInit;
  /** Default all convolutions of two dimensions with windows larger than 1×1, but the first. */
  readonly layers?: LayerSelector;
}

/**
 * Replaces convolutions by Tucker-2 or CP products, in place.
 * @returns the paths of the layers
 * @throws WhittleError where no layer is chosen, or the scale is not above 0 and at most 1
 */
export function tensorize(network: Network, options: TensorialOptions = {}): string[] {
  const { form = 'tucker2', scale = 0.5, init = 'spectral', layers } = options;
  if (!(scale > 0 && scale <= 1)) throw new WhittleError(`scale must be above 0 and at most 1, not ${scale}`);
  ensureLayers(network);
  const chosen = selectLayers(network, layers).filter(isWindow);
  if (chosen.length === 0)
    throw new WhittleError('no convolution of the network was chosen to be decomposed', {
      hint: 'Choose others with `layers`; only ungrouped convolutions with a window of two dimensions can be',
    });
  const of = (size: number): number => Math.max(1, Math.round(scale * size));
  for (const { path, outChannels, inChannels } of chosen) {
    if (form === 'cp') makeCp(network, path, of(Math.max(outChannels, inChannels)), init);
    else makeTucker2(network, path, [of(outChannels), of(inChannels)], init);
  }
  return chosen.map(({ path }) => path);
}

const isWindow = (layer: DenseLayer): layer is ConvLayer =>
  layer.kind === 'conv' &&
  layer.groups === 1 &&
  layer.kernelSize.length === 2 &&
  sizeOf(layer.kernelSize) > 1;

function windowLayer(network: Network, path: string): ConvLayer {
  const layer = denseLayer(network, path);
  if (isWindow(layer)) return layer;
  throw new WhittleError(`"${path}" is no ungrouped convolution with a window of two dimensions`);
}

/**
 * A convolution as a 1×1 one to rᵢ channels, a small one of the same window to rₒ, and a 1×1 one: `path.inputs`,
 * `path.core` and `path.outputs`. From the kernel's higher-order SVD, all three of one Frobenius norm.
 * Kim et al., ICLR 2016, https://arxiv.org/abs/1511.06530.
 * @param ranks [rₒ, rᵢ]
 * @throws WhittleError for ranks out of range and other layers
 */
export function makeTucker2(
  network: Network,
  path: string,
  ranks: readonly [number, number],
  init: FactorInit = 'spectral',
): void {
  const layer = windowLayer(network, path);
  const { outChannels, inChannels, kernelSize } = layer;
  const [rankOut, rankIn] = ranks;
  const kernel = network.tensor(layer.weight.name);
  const found =
    init === 'spectral' ? tucker2({ data: kernel.toFloat64(), dims: kernel.dims }, ranks) : undefined;
  build(network, layer, 'tucker2', ['outputs', 'core', 'inputs'], scope => {
    const weightInit = initializerFor(layer.weight);
    const point = { kernelSize: 1, bias: false, weightInit };
    const x = conv2d(scope.at('inputs'), layer.input, { ...point, inChannels, outChannels: rankIn });
    const { stride, padding, dilation } = layer;
    const small = { kernelSize, stride, padding, dilation, bias: false, weightInit };
    const y = conv2d(scope.at('core'), x, { ...small, inChannels: rankIn, outChannels: rankOut });
    return conv2d(scope.at('outputs'), y, {
      ...point,
      bias: layer.bias !== undefined,
      inChannels: rankOut,
      outChannels,
    });
  });
  if (!found) return;
  const norms = [
    Math.sqrt(rankOut),
    Math.sqrt(squaredNorm(matrix(found.core.data, 1, found.core.data.length))),
    Math.sqrt(rankIn),
  ];
  const mean = Math.cbrt(norms[0]! * norms[1]! * norms[2]!);
  const parts = { outputs: found.outputs.data, core: found.core.data, inputs: transpose(found.inputs).data };
  Object.entries(parts).forEach(([name, data], i) => {
    put(network, `${path}.${name}.weight`, data, norms[i] === 0 ? 0 : mean / norms[i]!);
  });
}

/**
 * A convolution as a 1×1 one to `rank` channels, 1×kw and kh×1 ones within each channel, and a 1×1 one: `path.inputs`,
 * `path.rows`, `path.columns` and `path.outputs`. From the kernel's CP decomposition, each term shared evenly.
 * Lebedev et al., ICLR 2015, https://arxiv.org/abs/1412.6553.
 * @throws WhittleError for a rank below 1 and other layers
 */
export function makeCp(network: Network, path: string, rank: number, init: FactorInit = 'spectral'): void {
  const layer = windowLayer(network, path);
  const { outChannels, inChannels, kernelSize, stride, padding, dilation } = layer;
  const kernel = network.tensor(layer.weight.name);
  const found = init === 'spectral' ? cp({ data: kernel.toFloat64(), dims: kernel.dims }, rank) : undefined;
  build(network, layer, 'cp', ['outputs', 'columns', 'rows', 'inputs'], scope => {
    const weightInit = initializerFor(layer.weight);
    const own = { bias: false, weightInit };
    const each = { ...own, inChannels: rank, outChannels: rank, groups: rank };
    let x = conv2d(scope.at('inputs'), layer.input, { ...own, kernelSize: 1, inChannels, outChannels: rank });
    const along = (axis: 0 | 1) => {
      const only = (values: readonly number[], other: number): number[] =>
        axis === 0 ? [values[0]!, other] : [other, values[1]!];
      return {
        kernelSize: only(kernelSize, 1),
        stride: only(stride, 1),
        padding: only(padding, 0),
        dilation: only(dilation, 1),
      };
    };
    x = conv2d(scope.at('rows'), x, { ...each, ...along(1) });
    x = conv2d(scope.at('columns'), x, { ...each, ...along(0) });
    const last = { kernelSize: 1, inChannels: rank, outChannels, weightInit, bias: layer.bias !== undefined };
    return conv2d(scope.at('outputs'), x, last);
  });
  if (!found) return;
  const [outputs, inputs, columns, rows] = found.factors.map(({ data, rows: size }) => {
    const shared = data.map((value, i) => value * found.weights[i % rank]! ** 0.25);
    return matrix(shared, size, rank);
  });
  put(network, `${path}.outputs.weight`, outputs!.data);
  for (const [name, factor] of Object.entries({ columns, rows, inputs })) {
    put(network, `${path}.${name}.weight`, transpose(factor!).data);
  }
}

function put(network: Network, name: string, data: Float64Array | Float32Array, factor = 1): void {
  const { dims } = network.parameter(name);
  network.setTensor(
    name,
    Tensor.float32(
      dims,
      Float32Array.from(data, x => factor * x),
    ),
  );
}

/** Replaces the layer and records what stands in its place; the leftmost factor has the bias. */
function build(
  network: Network,
  layer: ConvLayer,
  form: 'tucker2' | 'cp',
  names: readonly string[],
  emit: (scope: Scope) => Value,
): void {
  const { path } = layer;
  const bias = layer.bias && { tensor: network.tensor(layer.bias.name), trainable: layer.bias.trainable };
  replaceLayer(network, path, scope => {
    const output = emit(scope);
    network.factorized.set(path, {
      path,
      input: layer.input,
      output,
      form,
      factors: names.map(name => `${path}.${name}.weight`),
      composed: false,
      bias: layer.bias && `${path}.outputs.bias`,
      dense: geometryOf(layer),
    });
    return output;
  });
  if (bias) moveBias(network, `${path}.outputs.bias`, bias);
}

/** The kernel (out, in, kh, kw) that the factors of a Tucker-2 or CP product stand for. */
export function kernelOfTensors({ form, factors }: FactorizedLayer, read: (name: string) => Tensor): Tensor {
  const tensors = factors.map(read);
  const outputs = tensors[0]!;
  const inputs = tensors.at(-1)!;
  const [out, channels] = [outputs.dims[0]!, inputs.dims[1]!];
  const left = matrix(outputs.toFloat64(), out, outputs.dims[1]!);
  const right = matrix(inputs.toFloat64(), inputs.dims[0]!, channels);
  const [height, width, slice] =
    form === 'tucker2' ? coreSlices(tensors[1]!) : diagonalSlices(tensors[1]!, tensors[2]!);
  const kernel = new Float32Array(out * channels * height * width);
  for (let h = 0; h < height; h++) {
    for (let w = 0; w < width; w++) {
      const { data } = matmul(matmul(left, slice(h, w)), right);
      for (let i = 0; i < data.length; i++) kernel[(i * height + h) * width + w] = data[i]!;
    }
  }
  return Tensor.float32([out, channels, height, width], kernel);
}

type Slices = readonly [
  height: number,
  width: number,
  at: (h: number, w: number) => ReturnType<typeof matrix>,
];

/** core[:, :, h, w] */
function coreSlices(core: Tensor): Slices {
  const [rows, cols, height, width] = core.dims as [number, number, number, number];
  const data = core.toFloat64();
  return [
    height,
    width,
    (h, w) =>
      matrix(
        Float64Array.from({ length: rows * cols }, (_, i) => data[(i * height + h) * width + w]!),
        rows,
        cols,
      ),
  ];
}

/** diag(columns[:, h] · rows[:, w]) */
function diagonalSlices(columns: Tensor, rows: Tensor): Slices {
  const [rank, height, width] = [columns.dims[0]!, columns.dims[2]!, rows.dims[3]!];
  const [down, across] = [columns.toFloat64(), rows.toFloat64()];
  return [
    height,
    width,
    (h, w) => {
      const diagonal = new Float64Array(rank * rank);
      for (let r = 0; r < rank; r++)
        diagonal[r * (rank + 1)] = down[r * height + h]! * across[r * width + w]!;
      return matrix(diagonal, rank, rank);
    },
  ];
}
