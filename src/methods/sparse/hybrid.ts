import { number } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { smartCounts } from './density.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
import { largestMagnitudes } from './select.js';
import { sparseMethod } from './sparse-method.js';

export interface HybridOptions extends Sparsity {
  /** Length of the sparse part, as a share of the dense part. */
  readonly retrain: number;
}

/**
 * Hybrid tickets: a dense training, then a sparse one that starts from its weights with the schedule of the start. How
 * many weights a layer keeps is fixed by its place, the later the fewer; which, by their magnitude.
 */
export function hybridTickets({ retrain, ...sparsity }: HybridOptions): TrainingMethod {
  let length = 0;
  let after = 0;
  let begun = false;
  return sparseMethod({
    name: 'hybrid',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    lengthen(updates) {
      length = updates;
      after = Math.max(1, Math.round(retrain * updates));
      return length + after;
    },
    moment: at =>
      at.update < length ? { ...at, updates: length } : { ...at, update: at.update - length, updates: after },
    begin() {
      begun = false;
    },
    // Before the next step rather than after the last, so that the dense network can be evaluated and saved.
    beforeStep(masks) {
      const { run, layers } = masks;
      if (begun || run.update !== length) return;
      begun = true;
      const counts = smartCounts(layers, keptWeights(run.network, layers, sparsity));
      layers.forEach((layer, i) => {
        masks.set(layer, largestMagnitudes(masks.weights(layer), counts[i]!));
      });
      masks.logDensity();
    },
    settled: () => begun,
    save: () => ({ begun }),
    restore(saved) {
      begun = (saved as { begun: boolean }).begun;
    },
  });
}

export const HYBRID = defineMethod({
  name: 'hybrid',
  family: 'sparse',
  summary: 'Hybrid tickets: a dense training, then a sparse one with layer densities fixed by depth.',
  paper: {
    title: 'Sanity-Checking Pruning Methods: Random Tickets can Win the Jackpot',
    authors: 'Su, Chen, Cai, Wu, Gao, Wang, Lee',
    year: 2020,
    url: 'https://arxiv.org/abs/2009.11094',
  },
  settings: {
    ...SPARSITY,
    retrain: number(1, { min: 0, description: 'length of the sparse part, as a share of the dense part' }),
  },
  create: hybridTickets,
});
