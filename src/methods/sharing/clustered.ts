import { WhittleError } from '../../graph/errors.js';
import { Tensor } from '../../graph/tensor.js';
import type { Network } from '../../nn/network.js';
import { integer, text } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { LAYER_WORDS, selectLayers } from '../select-layers.js';
import { storedWeights, substituteParameter } from './substitute.js';

export interface Clusters {
  /** Centroids in rising order; fewer than asked for where there are fewer distinct values. */
  readonly codebook: Float32Array;
  /** Which centroid each value belongs to. */
  readonly assignment: Uint8Array;
}

/**
 * k-means of numbers, from centroids at equal distances between the least and the greatest: of three starts the one that
 * Deep Compression found best, since it keeps the few large weights apart.
 * @throws WhittleError for more than 256 clusters, or none
 */
export function cluster(values: Float32Array, count: number, iterations = 100): Clusters {
  if (!(Number.isInteger(count) && count >= 1 && count <= 256)) {
    throw new WhittleError(`the number of clusters is from 1 to 256, not ${count}`);
  }
  const order = Float64Array.from(values).sort();
  const [low, high] = [order[0] ?? 0, order.at(-1) ?? 0];
  let centroids = Array.from({ length: count }, (_, k) => low + ((high - low) * (k + 0.5)) / count);
  // In one dimension a cluster is a run of the sorted values, so that sums of runs are all that is needed.
  const sums = new Float64Array(order.length + 1);
  order.forEach((value, i) => {
    sums[i + 1] = sums[i]! + value;
  });
  for (let i = 0; i < iterations; i++) {
    const ends = [...boundaries(centroids).map(bound => lowerBound(order, bound)), order.length];
    const next = ends.flatMap((end, k) => {
      const start = k === 0 ? 0 : ends[k - 1]!;
      return end > start ? [(sums[end]! - sums[start]!) / (end - start)] : [];
    });
    const settled = next.length === centroids.length && next.every((value, k) => value === centroids[k]);
    centroids = next;
    if (settled) break;
  }
  const bounds = Float64Array.from(boundaries(centroids));
  return {
    codebook: Float32Array.from(centroids),
    assignment: Uint8Array.from(values, value => upperBound(bounds, value)),
  };
}

const boundaries = (centroids: readonly number[]): number[] =>
  centroids.slice(1).map((value, k) => (value + centroids[k]!) / 2);

/** How many elements of a sorted list are below `x`. */
function lowerBound(sorted: Float64Array, x: number): number {
  return partitionPoint(sorted.length, i => sorted[i]! < x);
}

/** How many elements of a sorted list are at most `x`. */
function upperBound(sorted: Float64Array, x: number): number {
  return partitionPoint(sorted.length, i => sorted[i]! <= x);
}

function partitionPoint(length: number, holds: (i: number) => boolean): number {
  let [from, to] = [0, length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * Replaces a weight by its clusters: which centroid each element takes is fixed from now on, and the centroids are what
 * is trained. The gradient of a centroid is the sum of its elements' gradients.
 * @throws WhittleError for more than 8 bits
 */
export function clusterParameter(network: Network, name: string, bits: number): void {
  const { codebook, assignment } = cluster(network.tensor(name).toFloat32(), 2 ** bits);
  substituteParameter(network, name, (scope, { dims }) => {
    const centroids = scope.parameter('codebook', [codebook.length], {
      kind: 'weight',
      initializer: () => codebook.slice(),
    });
    const stored = scope.constant(`${name}.assignment`, () => Tensor.from('uint8', dims, assignment));
    return scope.op('Gather', [centroids, scope.cast(stored, 'int32')], { axis: 0 });
  });
}

export const clusteredMethod = defineMethod({
  name: 'clustered',
  family: 'sharing',
  summary:
    'Each weight takes one of a few values, which are trained; which one it takes is fixed at the start.',
  paper: {
    title:
      'Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman Coding',
    authors: 'Han, Mao, Dally',
    year: 2016,
    url: 'https://arxiv.org/abs/1510.00149',
  },
  settings: {
    layers: text(
      'all',
      `which linear and convolution layers: ${LAYER_WORDS.join(', ')}, or paths with *, joined by +`,
    ),
    bits: integer(4, { min: 1, max: 8, description: 'of an index; 2 to this power values in a layer' }),
  },
  create: ({ layers, bits }) => ({
    name: 'clustered',
    layerClaim: storedWeights(layers),
    prepare(network) {
      for (const { weight } of selectLayers(network, layers, ['linear', 'conv'])) {
        // Layers may share a weight.
        if (network.parameters.has(weight.name)) clusterParameter(network, weight.name, bits);
      }
    },
  }),
});
