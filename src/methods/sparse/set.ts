import { Random, type RandomState } from '../../random/random.js';
import { number } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { keepRandom, randomScores } from './keep.js';
import { keptWeights, sparseLayers } from './layers.js';
import { count } from './masks.js';
import { grow, REWIRING, type Rewiring } from './rewire.js';
import { gather, markMagnitudes } from './select.js';
import { sparseMethod } from './sparse-method.js';

export interface SetOptions extends Rewiring {
  /** Share ζ of a layer's weights that moves. */
  readonly fraction: number;
}

/** The mask without a share of its smallest positive and its largest negative weights: those closest to 0. */
export function dropNearZero(mask: Float32Array, weights: Float32Array, fraction: number): Float32Array {
  const { values, places } = gather(weights, mask);
  const stays = new Float32Array(values.length);
  for (const positive of [true, false]) {
    const side = values.map(value => Number(positive ? value >= 0 : value < 0));
    const present = count(side);
    markMagnitudes(stays, values, present - Math.floor(fraction * present), side, 1);
  }
  const kept = new Float32Array(mask.length);
  for (let i = 0; i < places.length; i++) kept[places[i]!] = stays[i]!;
  return kept;
}

/**
 * One change of a layer: the weights closest to 0 go, on either side, and as many come anywhere else at random.
 * Weights that went do not come back at once.
 */
export function setChange(
  mask: Float32Array,
  weights: Float32Array,
  fraction: number,
  scores: Float32Array,
): Float32Array {
  const kept = dropNearZero(mask, weights, fraction);
  const present = count(mask);
  const room = mask.length - present;
  const moved = present - count(kept);
  const grown = grow(kept, scores, Math.min(moved, room), mask);
  // In a layer that is nearly full some must come back.
  return moved > room ? grow(grown, scores, moved - room) : grown;
}

/**
 * Sparse evolutionary training: sparse from the start; every so often a share of the weights around 0 goes, and as many
 * grow at random. New weights begin at 0; the paper draws them like initial ones.
 */
export function set({ spread, interval, fraction, ...sparsity }: SetOptions): TrainingMethod {
  let random = new Random(0);
  return sparseMethod({
    name: 'set',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    begin(masks) {
      random = new Random(masks.run.seed, 'set');
      keepRandom(masks, keptWeights(masks.run.network, masks.layers, sparsity), spread);
    },
    afterStep(masks) {
      const { update, updates } = masks.run;
      if (update % interval !== 0 || update === updates) return;
      for (const layer of masks.layers) {
        const mask = masks.mask(layer);
        const scores = randomScores(random, mask.length);
        masks.set(layer, setChange(mask, masks.weights(layer), fraction, scores));
      }
      masks.logDensity();
    },
    save: () => random.state,
    restore(saved) {
      random = Random.restore(saved as RandomState);
    },
  });
}

export const SET = defineMethod({
  name: 'set',
  family: 'sparse',
  summary: 'Sparse from the start; weights around 0 go, and as many grow at random.',
  paper: {
    title:
      'Scalable Training of Artificial Neural Networks with Adaptive Sparse Connectivity Inspired by Network Science',
    authors: 'Mocanu, Mocanu, Stone, Nguyen, Gibescu, Liotta',
    year: 2018,
    url: 'https://arxiv.org/abs/1707.04780',
  },
  settings: {
    ...REWIRING,
    fraction: number(0.3, { min: 0, max: 1, description: 'share ζ of the weights that moves' }),
  },
  create: set,
});
