import { number } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { keepRandom } from './keep.js';
import { keptWeights, sparseLayers } from './layers.js';
import { cosineFraction, dropSmallest, grow, REWIRING, type Rewiring } from './rewire.js';
import { sparseMethod } from './sparse-method.js';

export interface RiglOptions extends Rewiring {
  /** Share of a layer's weights that moves at first; it falls to 0 along a cosine. */
  readonly fraction: number;
  /** Share of the training after which the masks stay. */
  readonly stop: number;
}

/**
 * One change of a layer: the `moved` smallest weights go, and as many absent ones come where the dense gradient is
 * largest. A weight that went may come back, and then keeps its value.
 */
export function riglChange(
  mask: Float32Array,
  weights: Float32Array,
  gradient: Float32Array,
  moved: number,
): Float32Array {
  return grow(dropSmallest(mask, weights, moved), gradient, moved);
}

/**
 * RigL, "rigging the lottery": sparse from the start; every so often the smallest weights go and others grow where the
 * gradient of the dense network is largest. The gradient is that of a step that also moves the weights, where the
 * paper spends a step on the change alone.
 */
export function rigl({ spread, interval, fraction, stop, ...sparsity }: RiglOptions): TrainingMethod {
  const end = ({ updates }: TrainingRun): number => stop * updates;
  const due = (run: TrainingRun, update: number): boolean => update % interval === 0 && update < end(run);
  return sparseMethod({
    name: 'rigl',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    gradients: true,
    begin: masks => keepRandom(masks, keptWeights(masks.run.network, masks.layers, sparsity), spread),
    beforeStep(masks) {
      if (due(masks.run, masks.run.update + 1)) masks.observeGradients();
    },
    afterStep(masks) {
      const { run } = masks;
      if (!due(run, run.update)) return;
      const share = cosineFraction(fraction, run.update, end(run));
      for (const layer of masks.layers) {
        const mask = masks.mask(layer);
        const present = masks.count(layer);
        const moved = Math.min(Math.floor(share * present), mask.length - present);
        masks.set(layer, riglChange(mask, masks.weights(layer), masks.gradient(layer), moved));
      }
      masks.logDensity();
    },
  });
}

export const RIGL = defineMethod({
  name: 'rigl',
  family: 'sparse',
  summary:
    'Sparse from the start; the smallest weights go, and others grow where the dense gradient is largest.',
  paper: {
    title: 'Rigging the Lottery: Making All Tickets Winners',
    authors: 'Evci, Gale, Menick, Castro, Elsen',
    year: 2020,
    url: 'https://arxiv.org/abs/1911.11134',
  },
  settings: {
    ...REWIRING,
    fraction: number(0.3, { min: 0, max: 1, description: 'share of the weights that moves at first' }),
    stop: number(0.75, { min: 0, max: 1, description: 'share of the training after which the masks stay' }),
  },
  create: rigl,
});
