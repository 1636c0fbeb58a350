import { WhittleError } from '../../graph/errors.js';
import type { Parameter } from '../../nn/parameter.js';
import { number } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { apportion } from './density.js';
import { keepRandom } from './keep.js';
import { keptWeights, sparseLayers } from './layers.js';
import { cosineFraction, dropSmallest, grow, REWIRING, type Rewiring } from './rewire.js';
import { sparseMethod } from './sparse-method.js';

export interface SparseMomentumOptions extends Rewiring {
  /** Share of a layer's weights that moves at first; it falls to 0 along a cosine. */
  readonly fraction: number;
}

/** Mean magnitude of the momentum of the weights that are there: what a layer's weights still have to gain. */
export function meanMomentum(mask: Float32Array, momentum: Float32Array): number {
  let sum = 0;
  let present = 0;
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] !== 1) continue;
    sum += Math.abs(momentum[i]!);
    present++;
  }
  return present === 0 ? 0 : sum / present;
}

/** m/√v, what Adam moves a weight by: its first moments alone would not compare between layers. */
function normalized(first: Float32Array, second: Float32Array): Float32Array {
  return first.map((m, i) => m / (Math.sqrt(second[i]!) + 1e-8));
}

/**
 * Sparse momentum: sparse from the start; every so often the smallest weights of each layer go, and come back in layers
 * in proportion to the mean momentum of their weights, there where absent weights have the largest momentum. The
 * optimizer therefore keeps momentum for absent weights too.
 */
export function sparseMomentum({
  spread,
  interval,
  fraction,
  ...sparsity
}: SparseMomentumOptions): TrainingMethod {
  const momentum = (run: TrainingRun, { name }: Parameter): Float32Array => {
    const keeps = (state: string): boolean => run.optimizerStates.includes(state);
    const read = (state: string): Float32Array => run.read(`${state}/${name}`).toFloat32();
    if (keeps('momentum')) return read('momentum');
    if (keeps('first_moment')) return normalized(read('first_moment'), read('second_moment'));
    throw new WhittleError('sparse momentum needs an optimizer that has a momentum', {
      hint: 'sgd({ momentum: 0.9 }), adam and adamW have one',
    });
  };
  return sparseMethod({
    name: 'sparse-momentum',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    optimizer: 'dense',
    begin(masks) {
      momentum(masks.run, masks.layers[0]!);
      keepRandom(masks, keptWeights(masks.run.network, masks.layers, sparsity), spread);
    },
    afterStep(masks) {
      const { run, layers } = masks;
      const { update, updates } = run;
      if (update % interval !== 0 || update === updates) return;
      const share = cosineFraction(fraction, update, updates);
      const before = layers.map(layer => masks.mask(layer));
      const present = layers.map(layer => masks.count(layer));
      const dropped = present.map(weights => Math.floor(share * weights));
      const momenta = layers.map(layer => momentum(run, layer));
      const kept = layers.map((layer, i) => dropSmallest(before[i]!, masks.weights(layer), dropped[i]!));
      const grown = apportion(
        dropped.reduce((sum, weights) => sum + weights, 0),
        before.map((mask, i) => meanMomentum(mask, momenta[i]!)),
        before.map((mask, i) => mask.length - present[i]! + dropped[i]!),
      );
      layers.forEach((layer, i) => {
        masks.set(layer, grow(kept[i]!, momenta[i]!, grown[i]!));
      });
      masks.logDensity();
    },
  });
}

export const SPARSE_MOMENTUM = defineMethod({
  name: 'sparse-momentum',
  family: 'sparse',
  summary: 'Sparse from the start; the smallest weights go, and others grow where momentum is largest.',
  paper: {
    title: 'Sparse Networks from Scratch: Faster Training without Losing Performance',
    authors: 'Dettmers, Zettlemoyer',
    year: 2019,
    url: 'https://arxiv.org/abs/1907.04840',
  },
  settings: {
    ...REWIRING,
    fraction: number(0.5, { min: 0, max: 1, description: 'share of a layer’s weights that moves at first' }),
  },
  create: sparseMomentum,
});
