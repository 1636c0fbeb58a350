import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import { sizeOf } from '../../graph/tensor.js';
import {
  cloneNetwork,
  convolve,
  exportForInference,
  type FactorizedLayer,
  type Network,
  project,
  replaceOutput,
  Scope,
} from '../../nn/index.js';
import { layerCost, NetworkShapes } from './cost.js';
import type { DenseLayer } from './low-rank.js';
import { formFor } from './matricize.js';
import { denseWeight } from './product.js';

/**
 * Makes plain layers of all factorized ones, overcomplete or low-rank, in place: the factors are multiplied in float64
 * and the outputs stay the same. Names are those of the layers before (`path.weight`, `path.bias`).
 * @returns the paths of the layers
 */
export function collapse(network: Network): string[] {
  const paths = [...network.factorized.keys()];
  for (const path of paths) collapseLayer(network, path);
  return paths;
}

/** The same for one layer. @throws WhittleError where it is not factorized */
export function collapseLayer(network: Network, path: string): void {
  const layer = network.factorized.get(path);
  if (!layer) throw new WhittleError(`the network has no factorized layer "${path}"`);
  const { dense } = layer;
  const scope = new Scope(network, path);
  const tensor = denseWeight(layer, name => network.tensor(name));
  const fans = dense.kind === 'linear' && { fanIn: dense.inFeatures, fanOut: dense.outFeatures };
  const weight = scope.parameter('weight', tensor.dims, {
    kind: 'weight',
    initializer: () => tensor.toFloat32().slice(),
    ...fans,
  });
  network.setTensor(weight.name, tensor);
  const bias = biasOf(scope, layer);
  const output =
    dense.kind === 'linear'
      ? project(scope, layer.input, weight, bias?.value ?? null, dense.layout)
      : convolve(scope, layer.input, weight, bias?.value ?? null, dense);
  const record = { path, input: layer.input, output, weight: network.parameter(weight.name), bias };
  network.layers.set(path, { ...dense, ...record } as DenseLayer);
  for (const factor of layer.factors) network.layers.delete(factor.replace(/\.weight$/, ''));
  network.factorized.delete(path);
  replaceOutput(network, layer.output, output);
}

/** The bias under the layer's own name. */
function biasOf({ network, path }: Scope, { bias: name }: FactorizedLayer) {
  if (name === undefined || name === `${path}.bias`)
    return name === undefined ? undefined : network.parameter(name);
  const { dims, kind, initializer, trainable, fanIn, fanOut } = network.parameter(name);
  const bias = network.addParameter(`${path}.bias`, dims, { kind, initializer, trainable, fanIn, fanOut });
  network.setTensor(bias.name, network.tensor(name));
  return bias;
}

export interface MergeOptions {
  /** How many times slower an operation of the factors is than one of the dense layer; default 1. */
  readonly slowdown?: number;
  /** Sizes of symbolic dimensions, to count operations with; what is not named is 1. */
  readonly sizes?: Readonly<Record<string, number>>;
}

/**
 * Collapses the layers that gain nothing from their factors, in place: those whose factors together have at least as
 * many parameters as the dense layer, or need as many operations (where shapes are known), and all that are composed.
 * @returns the paths of the layers
 */
export function mergeFactors(network: Network, { slowdown = 1, sizes }: MergeOptions = {}): string[] {
  const shapes = new NetworkShapes(network, sizes);
  const merged = [...network.factorized.values()].filter(layer => {
    if (layer.composed) return true;
    const parameters = layer.factors.reduce((sum, name) => sum + sizeOf(network.parameter(name).dims), 0);
    const record = {
      ...layer.dense,
      path: layer.path,
      input: layer.input,
      output: layer.output,
    } as DenseLayer;
    const { dense } = layerCost(record, formFor(layer.dense, 'channel'), shapes);
    if (parameters >= dense.parameters) return true;
    const flops = factorFlops(network, layer, shapes);
    return flops !== undefined && dense.flops !== undefined && slowdown * flops >= dense.flops;
  });
  for (const { path } of merged) collapseLayer(network, path);
  return merged.map(({ path }) => path);
}

/** Operations of the layers that factors are; `undefined` where shapes are not known. */
function factorFlops(
  network: Network,
  { factors }: FactorizedLayer,
  shapes: NetworkShapes,
): number | undefined {
  let sum = 0;
  for (const name of factors) {
    const output = network.layers.get(name.replace(/\.weight$/, ''));
    const shape = output && output.kind !== 'attention' ? shapes.of(output.output) : undefined;
    if (!shape || !output || output.kind === 'attention') return undefined;
    const perOutput =
      sizeOf(output.weight.dims) / (output.kind === 'conv' ? output.outChannels : shape.at(-1)!);
    sum += 2 * sizeOf(shape) * perOutput;
  }
  return sum;
}

/**
 * A factorized network as a model to run anywhere, as `exportForInference`, with layers merged that are larger or
 * slower as factors. The network does not change.
 */
export function exportFactorized(network: Network, options: MergeOptions = {}): Model {
  const copy = cloneNetwork(network);
  mergeFactors(copy, options);
  return exportForInference(copy);
}
