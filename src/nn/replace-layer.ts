import { WhittleError } from '../graph/errors.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import type { Layer } from './layer.js';
import type { Network } from './network.js';
import { Scope } from './scope.js';

/** A layer of which something else may take the place. */
export type ReplaceableLayer = Exclude<Layer, { kind: 'attention' }>;

/**
 * Puts something else in a layer's place: `build` gets a scope at the layer's path and the layer, and returns what is
 * used instead of `layer.output`. It may use the layer's parameters again; those that nothing uses any more leave the
 * network, and their names become free for the next replacement only.
 *
 * ```ts
 * replaceLayer(network, 'fc', (scope, { input, bias }) => …)
 * ```
 * @throws WhittleError where there is no such layer
 */
export function replaceLayer(
  network: Network,
  path: string,
  build: (scope: Scope, layer: ReplaceableLayer) => Value,
): void {
  const layer = network.layers.get(path);
  if (!layer || layer.kind === 'attention') {
    throw new WhittleError(`the network has no replaceable layer "${path}"`, {
      hint: `It has ${[...network.layers.values()]
        .filter(({ kind }) => kind !== 'attention')
        .map(other => other.path)
        .join(', ')}`,
    });
  }
  network.layers.delete(path);
  replaceOutput(network, layer.output, build(new Scope(network, path), layer));
}

/**
 * Uses another value in the place of a layer's output. What nothing uses any more leaves the network: nodes,
 * parameters, and the records of layers that have lost theirs.
 */
export function replaceOutput(network: Network, output: Value, replacement: Value): void {
  // Layers that follow remember the old output as their input.
  for (const [name, other] of network.layers) {
    if (other.kind !== 'attention' && other.input === output) {
      network.layers.set(name, { ...other, input: replacement });
    }
  }
  const moved = (value: Value): Value => (value === output ? replacement : value);
  for (const [name, other] of network.factorized) {
    network.factorized.set(name, { ...other, input: moved(other.input), output: moved(other.output) });
  }
  network.graph.replaceUses(output, replacement);
  removeDead(network.graph);
  for (const [name, value] of network.updates) {
    if (!value.producer?.graph) network.updates.delete(name);
  }
  for (const [name, { value }] of network.parameters) {
    if (network.graph.initializers.has(value)) continue;
    network.parameters.delete(name);
    network.graph.releaseName(name);
  }
  for (const [name, value] of network.constants) {
    if (!network.graph.initializers.has(value)) network.constants.delete(name);
  }
  for (const [name, { factors }] of network.factorized) {
    if (!factors.every(factor => network.parameters.has(factor))) network.factorized.delete(name);
  }
}
