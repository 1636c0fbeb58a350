import { Tensor } from '../graph/tensor.js';
import { penalizedLayers } from '../methods/penalties/penalized.js';
import { cloneNetwork, type Network } from '../nn/index.js';
import { leastPassing } from './bisect.js';
import type { ProbedLayer, Squeeze, Squeezed } from './squeeze.js';
import { SQUEEZES } from './squeezes/index.js';

export interface RedundancyOptions {
  /** Whether a network is still good enough. Called some thirty times, with copies; it may change them. */
  readonly holds: (network: Network) => boolean | Promise<boolean>;
  /** Which layers, as `selectLayers` takes them; default `all`, which leaves out the classifier. */
  readonly layers?: string;
  /** Default `SQUEEZES`. */
  readonly squeezes?: readonly Squeeze[];
}

/**
 * How much redundancy of each kind trained weights hold: how far they can be pruned, narrowed, factorized, quantized and
 * clustered, each alone and without any training, until the network is no longer good enough.
 * @returns for each squeeze the size that is left, smaller for more redundancy. A squeeze whose finest level is not good
 * enough is missing, and all are where the network is not good enough as it is
 */
export async function redundancy(
  network: Network,
  { holds, layers = 'all', squeezes = SQUEEZES }: RedundancyOptions,
): Promise<Record<string, number>> {
  const probed = probedLayers(network, layers);
  const sizes: Record<string, number> = {};
  // Below the floor chance decides what holds: a squeeze may lift a network a little, and a search would report that.
  if (!(await holds(cloneNetwork(network)))) return sizes;
  for (const squeeze of squeezes) {
    const level = await leastPassing(squeeze.levels, at =>
      holds(withWeights(network, probed, squeeze.at(probed, at))),
    );
    if (level !== undefined) sizes[squeeze.name] = squeeze.at(probed, level).size;
  }
  return sizes;
}

/** The layers' weights as matrices whose rows are outputs. */
export function probedLayers(network: Network, layers: string): ProbedLayer[] {
  return [...penalizedLayers(network, layers).values()].map(layer => {
    const data = network.tensor(layer.weight.name).toFloat32();
    const [rows, cols] =
      layer.kind === 'linear'
        ? [layer.outFeatures, layer.inFeatures]
        : [layer.outChannels, data.length / layer.outChannels];
    const outputsLast = layer.kind === 'linear' && layer.layout === 'in-out';
    return { layer, rows, cols, weight: outputsLast ? transposed(data, cols, rows) : data.slice() };
  });
}

/** A copy of the network with other weights. */
export function withWeights(network: Network, layers: readonly ProbedLayer[], squeezed: Squeezed): Network {
  const copy = cloneNetwork(network);
  layers.forEach(({ layer, rows, cols }, i) => {
    const matrix = squeezed.weights[i]!;
    const data =
      layer.kind === 'linear' && layer.layout === 'in-out' ? transposed(matrix, rows, cols) : matrix;
    copy.setTensor(layer.weight.name, Tensor.float32(layer.weight.dims, data));
    const removed = squeezed.removed?.[i];
    if (!removed || !layer.bias) return;
    const bias = network.tensor(layer.bias.name).toFloat32();
    const kept = bias.map((value, r) => (removed.has(r) ? 0 : value));
    copy.setTensor(layer.bias.name, Tensor.float32(layer.bias.dims, kept));
  });
  return copy;
}

function transposed(data: Float32Array, rows: number, cols: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) result[c * rows + r] = data[r * cols + c]!;
  }
  return result;
}
