import { WhittleError } from '../../graph/errors.js';
import { integer, number } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { keepLargestWeights, type Scope, scope } from './keep.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
import { sparseMethod } from './sparse-method.js';

export interface GradualOptions extends Sparsity {
  /** Shares of the training between which density falls. */
  readonly start: number;
  readonly end: number;
  /** Updates between prunings. */
  readonly interval: number;
  readonly scope: Scope;
}

/**
 * Zhu & Gupta's schedule: the density at a time between `start` (0) and `end` (1), from 1 down to `final`, falling
 * fast at first, while there is much to spare: final + (1 − final)(1 − time)³.
 */
export const cubicDensity = (final: number, time: number): number =>
  final + (1 - final) * (1 - Math.min(1, Math.max(0, time))) ** 3;

/** @throws WhittleError where pruning would end before it starts */
export function checkSpan(method: string, { start, end }: { start: number; end: number }): void {
  if (start <= end) return;
  throw new WhittleError(`${method} cannot start at ${start} of the training and end at ${end}`, {
    hint: 'Let it start before it ends: start=0.1,end=0.75',
  });
}

/**
 * Gradual magnitude pruning along a cubic schedule.
 * @throws WhittleError where it would end before it starts
 */
export function gradualPruning(options: GradualOptions): TrainingMethod {
  const { start, end, interval, scope: within, ...sparsity } = options;
  checkSpan('gradual', options);
  const first = ({ updates }: TrainingRun): number => Math.round(start * updates);
  const last = ({ updates }: TrainingRun): number => Math.max(1, Math.round(end * updates));
  return sparseMethod({
    name: 'gradual',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    afterStep(masks) {
      const { run, layers, size } = masks;
      const [from, to] = [first(run), last(run)];
      const due = run.update > from && run.update < to && (run.update - from) % interval === 0;
      if (!due && run.update !== to) return;
      const final = keptWeights(run.network, layers, sparsity);
      const time = run.update === to ? 1 : (run.update - from) / (to - from);
      keepLargestWeights(masks, Math.round(size * cubicDensity(final / size, time)), within);
    },
    settled: run => run.update >= last(run),
  });
}

export const GRADUAL = defineMethod({
  name: 'gradual',
  family: 'sparse',
  summary: 'Gradual pruning: the smallest weights go step by step along a cubic schedule.',
  paper: {
    title: 'To prune, or not to prune: exploring the efficacy of pruning for model compression',
    authors: 'Zhu, Gupta',
    year: 2017,
    url: 'https://arxiv.org/abs/1710.01878',
  },
  settings: {
    ...SPARSITY,
    start: number(0.1, { min: 0, max: 1, description: 'share of the training before the first pruning' }),
    end: number(0.75, {
      min: 0,
      max: 1,
      description: 'share of the training at which the density is reached',
    }),
    interval: integer(100, { min: 1, description: 'updates between prunings' }),
    scope: scope('uniform'),
  },
  create: gradualPruning,
});
