import { WhittleError } from '../../graph/errors.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { matrix } from '../../linalg/index.js';
import {
  convolve,
  ensureLayers,
  type Initializer,
  initializerFor,
  type Network,
  project,
  replaceLayer,
  type Scope,
} from '../../nn/index.js';
import { Random } from '../../random/random.js';
import type { Factors } from './factors.js';
import { type DenseLayer, denseLayer, type FactorInit, geometryOf } from './low-rank.js';
import { formFor, type MatrixForm, matrixShape, toMatrix } from './matricize.js';
import { type LayerSelector, selectLayers } from './select.js';
import { spectralFactors } from './spectral.js';
import { identity, squaredNorm } from './spectrum.js';

export interface OvercompleteOptions {
  /** `wide` is U Vᵀ with r ≥ min(rows, cols); `deep` is U M Vᵀ with M at the identity. Default `deep`. */
  readonly form?: 'wide' | 'deep';
  /** r as a multiple of min(rows, cols), at least 1; default 1. */
  readonly width?: number;
  /** How factors start: with the layer's present weight as their product, or each drawn for itself. Default `spectral`. */
  readonly init?: FactorInit;
  readonly convolution?: 'spatial' | 'channel';
}

/**
 * Gives layers more parameters than they need while they train: the weight is a product of two wide or three square
 * factors, multiplied in the graph before the layer uses it: once in a step, however large the batch.
 * `collapse` makes plain layers of them afterwards, with the same outputs.
 * @param selector default all but the first convolution and the classifier
 * @returns the paths of the layers
 * @throws WhittleError where no layer is chosen, or a width is below 1
 * Khodak et al., ICLR 2021, section 5; Arora, Cohen & Hazan, ICML 2018.
 */
export function overcomplete(
  network: Network,
  { layers: selector, ...options }: OvercompleteOptions & { readonly layers?: LayerSelector } = {},
): string[] {
  ensureLayers(network);
  const paths = selectLayers(network, selector).map(({ path }) => path);
  if (paths.length === 0)
    throw new WhittleError('no layer of the network was chosen to become overcomplete', {
      hint: 'Choose others with `layers`; `network.layers` has their paths',
    });
  for (const path of paths) makeOvercomplete(network, path, options);
  return paths;
}

/** The same for one layer; its parameters are `path.u`, `path.m` and `path.v`. @throws WhittleError as `overcomplete` */
export function makeOvercomplete(network: Network, path: string, options: OvercompleteOptions = {}): void {
  const { form: shape = 'deep', width = 1, init = 'spectral', convolution = 'spatial' } = options;
  const layer = denseLayer(network, path);
  const form = formFor(layer, convolution);
  const { rows, cols } = matrixShape(layer, form);
  const rank = Math.round(width * Math.min(rows, cols));
  if (!(width >= 1)) {
    throw new WhittleError(`the width of an overcomplete layer is at least 1, not ${width}`, {
      hint: 'makeLowRank is for fewer ranks than the layer has',
    });
  }
  const factors =
    init === 'spectral'
      ? widened(
          spectralFactors(toMatrix(layer, form, network.tensor(layer.weight.name)), Math.min(rows, cols)),
          rank,
          path,
        )
      : undefined;
  replaceLayer(network, path, scope => compose(scope, layer, { form, rank, deep: shape === 'deep' }));
  if (!factors) return;
  const put = (name: string, { data, rows: m, cols: n }: Factors['u']): void =>
    network.setTensor(`${path}.${name}`, Tensor.float32([m, n], Float32Array.from(data)));
  put('u', factors.u);
  put('v', factors.vt);
}

/**
 * The same product at a higher rank: further columns of U are random, as long as the others on average, and further
 * rows of Vᵀ are zero, so that they begin to learn at once.
 */
function widened({ u, vt }: Factors, rank: number, seed: string): Factors {
  const known = u.cols;
  if (rank === known) return { u, vt };
  const random = new Random(0, `overcomplete/${seed}`);
  const deviation = Math.sqrt(squaredNorm(u) / u.data.length);
  const wide = new Float64Array(u.rows * rank);
  for (let i = 0; i < u.rows; i++) {
    for (let k = 0; k < rank; k++) {
      wide[i * rank + k] = k < known ? u.data[i * known + k]! : deviation * random.normal();
    }
  }
  const tall = new Float64Array(rank * vt.cols);
  tall.set(vt.data);
  return { u: matrix(wide, u.rows, rank), vt: matrix(tall, rank, vt.cols) };
}

const identityInit: Initializer = ({ dims }) => Float32Array.from(identity(dims[0]!).data);

function compose(
  scope: Scope,
  layer: DenseLayer,
  { form, rank, deep }: { form: MatrixForm; rank: number; deep: boolean },
): Value {
  const { network, path } = scope;
  const { rows, cols } = matrixShape(layer, form);
  const initializer = initializerFor(layer.weight);
  const height = layer.kind === 'conv' && form === 'spatial' ? layer.kernelSize[0]! : 1;
  // Fans of the layers that the factors would be if they were run one after the other.
  const u = scope.parameter('u', [rows, rank], {
    kind: 'weight',
    initializer,
    fanIn: rank * height,
    fanOut: rows,
  });
  const m = deep
    ? scope.parameter('m', [rank, rank], { kind: 'weight', initializer: identityInit })
    : undefined;
  const v = scope.parameter('v', [rank, cols], { kind: 'weight', initializer, fanIn: cols, fanOut: rank });
  const left = m ? scope.op('MatMul', [u, m]) : u;
  const product = scope.op('MatMul', [left, v]);
  const bias = layer.bias?.value ?? null;
  const output =
    layer.kind === 'linear'
      ? project(scope, layer.input, product, bias)
      : convolve(scope, layer.input, kernelOf(scope, product, layer, form), bias, layer);
  network.factorized.set(path, {
    path,
    input: layer.input,
    output,
    form,
    factors: [u, ...(m ? [m] : []), v].map(({ name }) => name),
    composed: true,
    bias: layer.bias?.name,
    dense: geometryOf(layer),
  });
  return output;
}

/** A matrix as the kernel that it stands for: (out, in, ...kernelSize). */
function kernelOf(
  scope: Scope,
  product: Value,
  { outChannels, inChannels, kernelSize }: Extract<DenseLayer, { kind: 'conv' }>,
  form: MatrixForm,
): Value {
  const [height, width] = kernelSize as [number, number];
  // Where one of the two inner sizes is 1, their order does not matter.
  if (form === 'channel' || sizeOf(kernelSize) === 1) {
    return scope.reshape(product, outChannels, inChannels, ...kernelSize);
  }
  return scope.transpose(scope.reshape(product, outChannels, height, inChannels, width), 0, 2, 1, 3);
}
