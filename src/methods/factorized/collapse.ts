import { WhittleError } from '../../graph/errors.js';
import {
  convolve,
  type FactorizedLayer,
  type Network,
  project,
  replaceOutput,
  Scope,
} from '../../nn/index.js';
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
  network.layers.set(path, { ...dense, ...record });
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
