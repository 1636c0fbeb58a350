import { Random, type RandomState } from '../../random/random.js';
import { number } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { apportion } from './density.js';
import { keepRandom, randomScores } from './keep.js';
import { keptWeights, sparseLayers } from './layers.js';
import { count } from './masks.js';
import { grow, REWIRING, type Rewiring } from './rewire.js';
import { sparseMethod } from './sparse-method.js';

export interface DsrOptions extends Rewiring {
  /** Share of the weights that are there, over all layers, that each change should move. */
  readonly fraction: number;
  /** How far the share may be off before the threshold is doubled or halved. */
  readonly tolerance: number;
  /** The first threshold. */
  readonly threshold: number;
}

/**
 * The next threshold: doubled where it removed too few, halved where too many.
 * @param wanted how many weights a change should remove
 */
export function nextThreshold(threshold: number, removed: number, wanted: number, tolerance: number): number {
  if (removed < (1 - tolerance) * wanted) return 2 * threshold;
  return removed > (1 + tolerance) * wanted ? threshold / 2 : threshold;
}

/** The mask without weights below a threshold. */
function dropBelow(mask: Float32Array, weights: Float32Array, threshold: number): Float32Array {
  const kept = new Float32Array(mask.length);
  for (let i = 0; i < kept.length; i++) kept[i] = Math.abs(weights[i]!) >= threshold ? mask[i]! : 0;
  return kept;
}

/**
 * Dynamic sparse reparameterization: sparse from the start; every so often all weights below one threshold go, whichever
 * layer they are in, and as many grow at random, most in layers that kept most. So weights wander between layers.
 */
export function dsr(options: DsrOptions): TrainingMethod {
  const { spread, interval, fraction, tolerance, threshold: first, ...sparsity } = options;
  let random = new Random(0);
  let threshold = first;
  return sparseMethod({
    name: 'dsr',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    begin(masks) {
      random = new Random(masks.run.seed, 'dsr');
      threshold = first;
      keepRandom(masks, keptWeights(masks.run.network, masks.layers, sparsity), spread);
    },
    afterStep(masks) {
      const { run, layers } = masks;
      if (run.update % interval !== 0 || run.update === run.updates) return;
      const before = layers.reduce((sum, layer) => sum + masks.count(layer), 0);
      const kept = layers.map(layer => dropBelow(masks.mask(layer), masks.weights(layer), threshold));
      const counts = kept.map(count);
      const removed = before - counts.reduce((sum, n) => sum + n, 0);
      const grown = apportion(
        removed,
        counts,
        kept.map((mask, i) => mask.length - counts[i]!),
      );
      layers.forEach((layer, i) => {
        const scores = randomScores(random, kept[i]!.length);
        masks.set(layer, grow(kept[i]!, scores, grown[i]!));
      });
      run.log('threshold', threshold);
      threshold = nextThreshold(threshold, removed, fraction * before, tolerance);
      masks.logDensity();
    },
    save: () => ({ random: random.state, threshold }),
    restore(saved) {
      const { random: state, threshold: last } = saved as { random: RandomState; threshold: number };
      random = Random.restore(state);
      threshold = last;
    },
  });
}

export const DSR = defineMethod({
  name: 'dsr',
  family: 'sparse',
  summary: 'Sparse from the start; one threshold for all layers, and weights regrow where most survived.',
  paper: {
    title:
      'Parameter Efficient Training of Deep Convolutional Neural Networks by Dynamic Sparse Reparameterization',
    authors: 'Mostafa, Wang',
    year: 2019,
    url: 'https://arxiv.org/abs/1902.05967',
  },
  settings: {
    ...REWIRING,
    fraction: number(0.05, {
      min: 0,
      max: 1,
      description: 'share of the weights that are there, over all layers, that each change should move',
    }),
    tolerance: number(0.1, { min: 0, max: 1, description: 'how far the share may be off' }),
    threshold: number(0.001, { min: 0, description: 'the first threshold; it adapts' }),
  },
  create: dsr,
});
