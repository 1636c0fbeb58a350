import { number } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { keepLargestWeights, type Scope, scope } from './keep.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
import { sparseMethod } from './sparse-method.js';

export interface MagnitudeOptions extends Sparsity {
  /** Share of the training after which weights go: 0 before the first step, for a trained network; 1 after the last. */
  readonly at: number;
  readonly scope: Scope;
}

/** One-shot magnitude pruning: at one moment the smallest weights go, and the rest trains on. */
export function magnitudePruning({ at, scope: within, ...sparsity }: MagnitudeOptions): TrainingMethod {
  const prune: Parameters<typeof sparseMethod>[0]['afterStep'] = masks =>
    keepLargestWeights(masks, keptWeights(masks.run.network, masks.layers, sparsity), within);
  const moment = (updates: number): number => Math.round(at * updates);
  return sparseMethod({
    name: 'magnitude',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    begin: masks => (at === 0 ? prune(masks) : undefined),
    afterStep: masks => (masks.run.update === moment(masks.run.updates) ? prune(masks) : undefined),
    settled: ({ update, updates }) => update >= moment(updates),
  });
}

export const MAGNITUDE = defineMethod({
  name: 'magnitude',
  family: 'sparse',
  summary: 'One-shot pruning: after a part of the training the smallest weights go, and the rest trains on.',
  paper: {
    title: 'Learning both Weights and Connections for Efficient Neural Networks',
    authors: 'Han, Pool, Tran, Dally',
    year: 2015,
    url: 'https://arxiv.org/abs/1506.02626',
  },
  settings: {
    ...SPARSITY,
    at: number(0.75, { min: 0, max: 1, description: 'share of the training after which weights go' }),
    scope: scope('global'),
  },
  create: magnitudePruning,
});
