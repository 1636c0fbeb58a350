import type { Model } from '../graph/model.js';
import { cloneNetwork } from '../nn/clone.js';
import { exportForInference } from '../nn/export.js';
import type { Network } from '../nn/network.js';
import type { TrainingMethod } from './method.js';

/** A trained network as a model to run anywhere, in the form that its methods trained it for; it does not change. */
export function exportTrained(network: Network, methods: readonly TrainingMethod[] = []): Model {
  const changing = methods.filter(method => method.exportNetwork);
  const whole = changing.length === 0 ? network : cloneNetwork(network);
  for (const method of changing) method.exportNetwork!(whole);
  return methods.reduce((model, method) => method.exportModel?.(model) ?? model, exportForInference(whole));
}
