import { integer, number } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { checkSpan } from './gradual.js';
import { keepLargestWeights, type Scope, scope } from './keep.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
import { sparseMethod } from './sparse-method.js';

export interface IterativeOptions extends Sparsity {
  readonly rounds: number;
  /** Shares of the training at which the first and the last round prune. */
  readonly start: number;
  readonly end: number;
  readonly scope: Scope;
}

/**
 * Iterative magnitude pruning: rounds that each remove the same share of what is left, with training in between.
 * @throws WhittleError where it would end before it starts
 */
export function iterativePruning(options: IterativeOptions): TrainingMethod {
  const { rounds, start, end, scope: within, ...sparsity } = options;
  checkSpan('iterative', options);
  const moment = ({ updates }: TrainingRun, round: number): number =>
    Math.max(1, Math.round(updates * (rounds === 1 ? end : start + ((end - start) * round) / (rounds - 1))));
  return sparseMethod({
    name: 'iterative',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    afterStep(masks) {
      const { run, layers, size } = masks;
      // The last of the rounds that fall on this update: in a short training several may.
      for (let round = rounds - 1; round >= 0; round--) {
        if (run.update !== moment(run, round)) continue;
        const density = keptWeights(run.network, layers, sparsity) / size;
        return keepLargestWeights(masks, Math.round(size * density ** ((round + 1) / rounds)), within);
      }
    },
    settled: run => run.update >= moment(run, rounds - 1),
  });
}

export const ITERATIVE = defineMethod({
  name: 'iterative',
  family: 'sparse',
  summary: 'Iterative pruning: rounds remove the same share of what is left, with training in between.',
  paper: {
    title: 'Learning both Weights and Connections for Efficient Neural Networks',
    authors: 'Han, Pool, Tran, Dally',
    year: 2015,
    url: 'https://arxiv.org/abs/1506.02626',
  },
  settings: {
    ...SPARSITY,
    rounds: integer(5, { min: 1, description: 'how often weights go' }),
    start: number(0.25, { min: 0, max: 1, description: 'share of the training at the first round' }),
    end: number(0.75, { min: 0, max: 1, description: 'share of the training at the last round' }),
    scope: scope('global'),
  },
  create: iterativePruning,
});
