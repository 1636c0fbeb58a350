import type { Batch } from '../../datasets/dataset.js';
import type { Parameter } from '../../nn/parameter.js';
import { integer } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { lengthOf, partsOf } from '../batches.js';
import { defineMethod } from '../entry.js';
import { keepHighest } from './keep.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
import { probed } from './probed.js';
import { drawSamples } from './samples.js';
import { sparseMethod } from './sparse-method.js';

export interface SnipOptions extends Sparsity {
  readonly samples: number;
}

/** Connection sensitivity |g·w| of each weight, which the paper divides by the sum over all, on one batch. */
export async function snipScores(
  run: TrainingRun,
  layers: readonly Parameter[],
  batch: Batch,
): Promise<readonly Float32Array[]> {
  const names = layers.map(({ name }) => name);
  const parts = partsOf(batch, run.network, lengthOf(batch));
  const gradients = await probed(run, names, parts, ({ loss, gradients }) => gradients(loss, names));
  return names.map((name, n) => {
    const weights = run.read(name).toFloat32();
    return gradients[n]!.map((g, i) => Math.abs(g * weights[i]!));
  });
}

/** SNIP: before the first step, on one batch, the weights whose loss would change the loss least go for good. */
export function snip({ samples, ...sparsity }: SnipOptions): TrainingMethod {
  return sparseMethod({
    name: 'snip',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    async begin(masks) {
      const { run, layers } = masks;
      const scores = await snipScores(run, layers, await drawSamples(run, samples));
      keepHighest(masks, scores, keptWeights(run.network, layers, sparsity), 'global');
    },
  });
}

export const SNIP = defineMethod({
  name: 'snip',
  family: 'sparse',
  summary:
    'Before the first step, by |gradient · weight| on one batch: what the loss feels least goes for good.',
  paper: {
    title: 'SNIP: Single-shot Network Pruning based on Connection Sensitivity',
    authors: 'Lee, Ajanthan, Torr',
    year: 2019,
    url: 'https://arxiv.org/abs/1810.02340',
  },
  settings: { ...SPARSITY, samples: integer(128, { min: 1, description: 'examples of the one batch' }) },
  create: snip,
});
