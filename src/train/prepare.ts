import { WhittleError } from '../graph/errors.js';
import { cloneNetwork } from '../nn/clone.js';
import type { Network } from '../nn/network.js';
import { recordLayers } from '../nn/record-layers.js';
import { checkClaims, checkLayers, WAY_OUT } from './claims.js';
import type { TrainingMethod } from './method.js';

/**
 * A copy of a network as methods train it. What methods claim is checked first.
 * @param sizes of symbolic dimensions in a step, as far as they are known
 * @throws WhittleError naming two methods that both decide the same, or of which one cannot act on what the other makes
 */
export function prepareNetwork(
  network: Network,
  methods: readonly TrainingMethod[],
  sizes?: Readonly<Record<string, number>>,
): Network {
  checkMethods(methods, network);
  const prepared = withLayers(network, methods);
  methods.forEach((method, i) => {
    try {
      method.prepare?.(prepared, sizes);
    } catch (error) {
      throw error instanceof WhittleError ? named(error, method, methods.slice(0, i), network) : error;
    }
  });
  return prepared;
}

/**
 * Whether methods train one network together, as far as can be told before they change it.
 * @throws WhittleError naming two that do not
 */
export function checkMethods(methods: readonly TrainingMethod[], network: Network): void {
  checkClaims(methods);
  if (methods.some(({ layerClaim }) => layerClaim)) checkLayers(methods, withLayers(network, methods));
}

/** A copy that knows its layers where methods claim some: once weights are shared, they are found no more. */
function withLayers(network: Network, methods: readonly TrainingMethod[]): Network {
  const copy = cloneNetwork(network);
  if (copy.layers.size === 0 && methods.some(({ layerClaim }) => layerClaim)) recordLayers(copy);
  return copy;
}

/** The error, with the names of the methods that leave no place for this one; as it is where that has none by itself. */
function named(
  error: WhittleError,
  method: TrainingMethod,
  before: readonly TrainingMethod[],
  network: Network,
): WhittleError {
  const fits = (...methods: readonly TrainingMethod[]): boolean => {
    const copy = withLayers(network, methods);
    try {
      for (const each of methods) each.prepare?.(copy);
      return true;
    } catch {
      return false;
    }
  };
  if (!fits(method)) return error;
  const guilty = before.filter(other => !fits(other, method));
  const names = (guilty.length > 0 ? guilty : before).map(({ name }) => name).join(', ');
  return new WhittleError(
    `${method.name} finds no place in the network as ${names} made it: ${error.message}`,
    { hint: WAY_OUT, cause: error },
  );
}
