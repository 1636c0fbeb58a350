import type { Model } from '../graph/model.js';
import { cloneNetwork } from '../nn/clone.js';
import { exportForInference } from '../nn/export.js';
import type { Network } from '../nn/network.js';
import type { TrainingMethod } from './method.js';

/** The network that is left of a trained one where its methods took part in the training only; a copy where it differs. */
export function exportedNetwork(network: Network, methods: readonly TrainingMethod[] = []): Network {
  const changing = methods.filter(method => method.exportNetwork);
  if (changing.length === 0) return network;
  const copy = cloneNetwork(network);
  for (const method of changing) method.exportNetwork!(copy);
  return copy;
}

/** A trained network as a model to run anywhere, in the form that its methods trained it for; it does not change. */
export const exportTrained = (network: Network, methods: readonly TrainingMethod[] = []): Model =>
  methods.reduce(
    (model, method) => method.exportModel?.(model) ?? model,
    exportForInference(exportedNetwork(network, methods)),
  );
