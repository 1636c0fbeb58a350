import type { Network } from '../../nn/index.js';
import type { TrainingMethod } from '../../train/index.js';
import { selectLayers as selectByWords } from '../select-layers.js';
import { collapseLayer } from './collapse.js';
import { type FactorDecay, factorDecay } from './decay/index.js';
import { type FactorizePolicy, factorize } from './factorize.js';
import { type OvercompleteOptions, overcomplete } from './overcomplete.js';
import { type LayerSelector, selectLayers } from './select.js';

/** Their decay is of all factors of a network. */
const FACTORS = 'the decay of factors';

export interface LowRankTrainingOptions extends Omit<FactorizePolicy, 'layers'> {
  /** Default all but the first convolution and the classifier; or words and paths such as `ffn` (`selectLayers`). */
  readonly layers?: LayerSelector | string;
  /** What holds the factors small; default `frobenius`. */
  readonly decay?: FactorDecay;
  /** λ of that decay as a multiple of the weight decay; default 1. */
  readonly strength?: number;
}

/**
 * Training in factorized form: layers become products of two factors before the first step (`factorize`), and the
 * factors get a decay of their own.
 */
export function lowRank({
  decay = 'frobenius',
  strength = 1,
  layers,
  ...policy
}: LowRankTrainingOptions): TrainingMethod {
  const method = factorDecay(decay, { strength });
  return {
    ...method,
    name: 'low-rank',
    claims: [FACTORS],
    layerClaim: { of: claimed(layers), accepts: ['dense'], gives: 'layers' },
    prepare(network) {
      factorize(network, { ...policy, ...selected(network, layers) });
      method?.prepare?.(network);
    },
  };
}

export interface OvercompleteTrainingOptions extends OvercompleteOptions {
  /** Default all but the first convolution and the classifier; or words and paths such as `ffn` (`selectLayers`). */
  readonly layers?: LayerSelector | string;
  /** What holds the factors small; default `frobenius`. */
  readonly decay?: FactorDecay;
  /** λ of that decay as a multiple of the weight decay; default 1. */
  readonly strength?: number;
}

/**
 * Training in overcomplete form. `exportTrained(result.network, methods)` writes the plain network that it amounts to;
 * `collapse(result.network)` makes one of the network itself.
 */
export function overcompleteTraining({
  decay = 'frobenius',
  strength = 1,
  layers,
  ...options
}: OvercompleteTrainingOptions = {}): TrainingMethod {
  const method = factorDecay(decay, { strength });
  return {
    ...method,
    name: 'overcomplete',
    claims: [FACTORS],
    layerClaim: { of: claimed(layers), accepts: ['dense'], gives: 'computed' },
    prepare(network) {
      overcomplete(network, { ...options, ...selected(network, layers) });
      method?.prepare?.(network);
    },
    exportNetwork(network) {
      for (const { path, composed } of [...network.factorized.values()]) {
        if (composed) collapseLayer(network, path);
      }
    },
  };
}

function selected(network: Network, layers: LayerSelector | string | undefined): { layers?: LayerSelector } {
  if (layers === undefined) return {};
  if (typeof layers !== 'string') return { layers };
  const paths = new Set(selectByWords(network, layers, ['linear', 'conv']).map(({ path }) => path));
  return { layers: ({ path }) => paths.has(path) };
}

const claimed =
  (layers: LayerSelector | string | undefined) =>
  (network: Network): string[] =>
    selectLayers(network, selected(network, layers).layers).map(({ path }) => path);
