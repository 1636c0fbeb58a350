import type { Model } from '../graph/model.js';
import { exportForInference } from '../nn/export.js';
import type { Network } from '../nn/network.js';
import type { TrainingMethod } from './method.js';

/** A trained network as a model to run anywhere, in the form that its methods trained it for. */
export const exportTrained = (network: Network, methods: readonly TrainingMethod[] = []): Model =>
  methods.reduce((model, method) => method.exportModel?.(model) ?? model, exportForInference(network));
