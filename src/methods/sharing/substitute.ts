import type { Value } from '../../graph/value.js';
import type { Network } from '../../nn/network.js';
import type { Parameter } from '../../nn/parameter.js';
import { Scope } from '../../nn/scope.js';
import type { LayerClaim } from '../../train/claims.js';
import { selectLayers } from '../select-layers.js';

/**
 * Computes a parameter from others: `build` gets a scope at the parameter's own name and returns a value of its shape,
 * which everything uses that used the parameter. Layers that had it can no longer be replaced.
 * @throws WhittleError where the network has no such parameter
 */
export function substituteParameter(
  network: Network,
  name: string,
  build: (scope: Scope, parameter: Parameter) => Value,
): void {
  const parameter = network.parameter(name);
  network.graph.replaceUses(parameter.value, build(new Scope(network, parameter.name), parameter));
  removeParameter(network, parameter);
  for (const [path, layer] of network.layers) {
    if (layer.kind !== 'attention' && layer.weight === parameter) network.layers.delete(path);
  }
}

/** Takes a parameter that nothing uses any more out of a network, and its other names. */
export function removeParameter(network: Network, parameter: Parameter): void {
  network.graph.initializers.delete(parameter.value);
  network.parameters.delete(parameter.name);
  for (const [alias, target] of network.aliases) {
    if (target === parameter.name) network.aliases.delete(alias);
  }
}

/** What a method claims that substitutes the weights of these layers. */
export const storedWeights = (layers: string): LayerClaim => ({
  of: network => selectLayers(network, layers, ['linear', 'conv']).map(({ path }) => path),
  accepts: ['dense', 'shared'],
  gives: 'computed',
});

/** Mean of the squares of a parameter's present elements. */
export function meanSquare(network: Network, name: string): number {
  const data = network.tensor(name).toFloat32();
  return data.reduce((sum, x) => sum + x * x, 0) / data.length;
}
