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
  const replacement = build(new Scope(network, path), layer);
  // Layers that follow remember the old output as their input.
  for (const [name, other] of network.layers) {
    if (other.kind !== 'attention' && other.input === layer.output) {
      network.layers.set(name, { ...other, input: replacement });
    }
  }
  network.graph.replaceUses(layer.output, replacement);
  removeDead(network.graph);
  for (const [name, value] of network.updates) {
    if (!value.producer?.graph) network.updates.delete(name);
  }
  for (const [name, { value }] of network.parameters) {
    if (!network.graph.initializers.has(value)) network.parameters.delete(name);
  }
  for (const [name, value] of network.constants) {
    if (!network.graph.initializers.has(value)) network.constants.delete(name);
  }
}
