import { WhittleError } from '../../graph/errors.js';
import type { Tensor } from '../../graph/tensor.js';
import { number } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { keepLargestWeights, type Scope, scope } from './keep.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
import { MASK, type SparseMasks } from './masks.js';
import { sparseMethod } from './sparse-method.js';

export interface LotteryOptions extends Sparsity {
  /** Share of the weights that goes with each level. */
  readonly rate: number;
  /** Share of a level's training to which weights go back; 0 is the initialization. */
  readonly rewind: number;
  readonly scope: Scope;
}

/**
 * How often a share of the weights must go until a density is reached.
 * @throws WhittleError where that is never
 */
export function levelsTo(density: number, rate: number): number {
  if (density > 0 && rate > 0 && rate < 1) {
    return Math.max(1, Math.ceil(Math.log(density) / Math.log(1 - rate) - 1e-9));
  }
  throw new WhittleError(`a density of ${density} is never reached where each level takes ${rate}`, {
    hint: 'Give a density above 0, and a rate between 0 and 1',
  });
}

/**
 * Iterative magnitude pruning with rewinding: train, let a share of the smallest weights go, put the others back to
 * what they were early in training, optimizer and schedule too, and train again, level by level. A training of n
 * updates becomes n and, for each level, those from the rewinding point on. Batches go on in their order: a rewound
 * training sees others than the first.
 */
export function lottery({ rate, rewind, scope: within, ...sparsity }: LotteryOptions): TrainingMethod {
  const levels = levelsTo(sparsity.density, rate);
  /** Updates of the first level, and those that rewinding goes back to. */
  let length = 0;
  let point = 0;
  let level = 0;
  /** Everything but the masks, as it was then. */
  let early: ReadonlyMap<string, Tensor> = new Map();
  const endOf = (level: number): number => length + level * (length - point);
  return sparseMethod({
    name: 'lottery',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    lengthen(updates) {
      length = updates;
      point = Math.min(updates - 1, Math.round(rewind * updates));
      return endOf(levels);
    },
    moment: at => ({
      ...at,
      update: at.update < length ? at.update : point + ((at.update - length) % (length - point)),
      updates: length,
    }),
    begin({ run }) {
      level = 0;
      if (point === 0) early = remember(run);
    },
    // Before the next step rather than after the last, so that a level's end can be evaluated and saved.
    beforeStep(masks) {
      const { run, layers, size } = masks;
      if (level >= levels || run.update !== endOf(level)) return;
      level++;
      const final = keptWeights(run.network, layers, sparsity);
      const kept = level === levels ? final : Math.max(final, Math.round(size * (1 - rate) ** level));
      keepLargestWeights(masks, kept, within);
      rewound(masks, early);
      run.log('level', level);
    },
    afterStep({ run }) {
      if (run.update === point) early = remember(run);
    },
    settled: () => level === levels,
    save: () => ({ level }),
    saveTensors: () => early,
    restore(saved, tensors) {
      level = (saved as { level: number }).level;
      early = tensors;
    },
  });
}

/** Parameters, running statistics, what optimizer and other methods keep: all but the masks. */
function remember(run: TrainingRun): ReadonlyMap<string, Tensor> {
  const names = [...run.names].filter(name => !name.startsWith(`${MASK}/`));
  return new Map(names.map(name => [name, run.read(name)]));
}

/** Puts everything back, weights without a place aside. */
function rewound(masks: SparseMasks, early: ReadonlyMap<string, Tensor>): void {
  const { run, layers } = masks;
  for (const [name, tensor] of early) run.write(name, tensor);
  for (const layer of layers) masks.set(layer, masks.mask(layer));
}

export const LOTTERY = defineMethod({
  name: 'lottery',
  family: 'sparse',
  summary: 'Train, let the smallest weights go, rewind the others to an early step, and train again.',
  paper: {
    title: 'Linear Mode Connectivity and the Lottery Ticket Hypothesis',
    authors: 'Frankle, Dziugaite, Roy, Carbin',
    year: 2020,
    url: 'https://arxiv.org/abs/1912.05671',
  },
  settings: {
    ...SPARSITY,
    rate: number(0.2, {
      min: 0.01,
      max: 0.99,
      description: 'share of the weights that goes with each level',
    }),
    rewind: number(0.05, {
      min: 0,
      max: 1,
      description: 'share of a level’s training to which weights go back; 0: initialization',
    }),
    scope: scope('global'),
  },
  create: lottery,
});
