import { cloneGraph } from '../graph/clone.js';
import type { Value } from '../graph/value.js';
import type { Layer } from './layer.js';
import { Network } from './network.js';
import type { Parameter } from './parameter.js';

/**
 * A copy whose graph can be changed without touching the first, e.g. to append gradients. Tensors are shared until
 * one of the two gets new ones.
 * @param training what the copy says of itself; its graph stays as it is
 */
export function cloneNetwork(network: Network, training = network.training): Network {
  const values = new Map<Value, Value>();
  const copy = new Network({ training, seed: network.seed }, cloneGraph(network.graph, values));
  const mapped = (value: Value): Value => values.get(value) ?? value;
  copy.basePrefix = network.basePrefix;
  copy.opsets = network.opsets;
  copy.reserveNodeNames();
  for (const [name, alias] of network.aliases) copy.aliases.set(name, alias);
  for (const [name, value] of network.constants) copy.constants.set(name, mapped(value));
  for (const [name, value] of network.updates) copy.updates.set(name, mapped(value));
  const parameters = new Map<Parameter, Parameter>();
  for (const [name, parameter] of network.parameters) {
    const twin = { ...parameter, value: mapped(parameter.value) };
    parameters.set(parameter, twin);
    copy.parameters.set(name, twin);
  }
  for (const [path, layer] of network.layers) copy.layers.set(path, cloneLayer(layer, mapped, parameters));
  for (const [path, layer] of network.factorized) {
    copy.factorized.set(path, { ...layer, input: mapped(layer.input), output: mapped(layer.output) });
  }
  return copy;
}

function cloneLayer(
  layer: Layer,
  mapped: (value: Value) => Value,
  parameters: ReadonlyMap<Parameter, Parameter>,
): Layer {
  if (layer.kind === 'attention') return layer;
  return {
    ...layer,
    input: mapped(layer.input),
    output: mapped(layer.output),
    weight: parameters.get(layer.weight) ?? layer.weight,
    bias: layer.bias && (parameters.get(layer.bias) ?? layer.bias),
  };
}
