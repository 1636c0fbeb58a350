import { openSafetensors, writeSafetensors } from '../weights/safetensors.node.js';
import type { Network } from './network.js';
import { type LoadOptions, type LoadReport, loadWeights, weightsOf } from './weights.js';

/**
 * Loads a safetensors file into a network; see `loadWeights`. The tensors stay in the file until they are used.
 * @throws WhittleError for a broken file, and weights that do not fit
 */
export const loadWeightsFile = (network: Network, path: string, options?: LoadOptions): LoadReport =>
  loadWeights(network, openSafetensors(path).tensors, options);

/** Saves a network's parameters as a safetensors file that PyTorch loads under the same names. */
export const saveWeightsFile = (network: Network, path: string): Promise<void> =>
  writeSafetensors(path, weightsOf(network), { format: 'pt' });
