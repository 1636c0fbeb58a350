import type { Model } from '../graph/model.js';
import { foldBatchNorm, foldTransposes } from './fold.js';
import { toInference } from './inference.js';
import type { Network } from './network.js';

/**
 * A network as a model to run anywhere: inference form, BatchNorm folded into the layers before it, weights laid out
 * as they are multiplied, symbolic dimensions (`batch`, `tokens`) kept, standard ONNX operators only. The network
 * itself does not change.
 */
export function exportForInference(network: Network): Model {
  const copy = toInference(network);
  foldBatchNorm(copy.graph);
  foldTransposes(copy.graph);
  copy.graph.sort();
  return copy.toModel();
}
