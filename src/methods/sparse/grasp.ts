import type { Batch } from '../../datasets/dataset.js';
import { Tensor } from '../../graph/tensor.js';
import type { Parameter } from '../../nn/parameter.js';
import { integer, number } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { partsOf } from '../batches.js';
import { defineMethod } from '../entry.js';
import { keepHighest } from './keep.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
import { probed } from './probed.js';
import { drawPerClass } from './samples.js';
import { sparseMethod } from './sparse-method.js';

export interface GraspOptions extends Sparsity {
  /** Examples of each class. */
  readonly samples: number;
  /** What scores are divided by before the softmax. */
  readonly temperature: number;
}

/** Examples that are differentiated twice at once. */
const CHUNK = 128;

/**
 * θ·Hg for each weight θ: by how much, to first order, the squared norm of the gradient g would fall (in halves) if the
 * weight went. The paper's score is −θ·Hg, and the highest go. H is the Hessian over all `layers` together; its product
 * with g is the gradient of gᵀg′ with g′ held still, summed over parts of the batch, which is exact.
 */
export async function graspScores(
  run: TrainingRun,
  layers: readonly Parameter[],
  batch: Batch,
  temperature: number,
): Promise<readonly Float32Array[]> {
  const names = layers.map(({ name }) => name);
  const parts = partsOf(batch, run.network, CHUNK);
  const total = await probed(run, names, parts, ({ loss, gradients }) => gradients(loss, names), {
    temperature,
  });
  const vectors = Object.fromEntries(
    layers.map(({ name, dims }, i) => [`vector/${name}`, Tensor.float32(dims, total[i]!)]),
  );
  const products = await probed(
    run,
    names,
    parts,
    ({ b, loss, gradients, input }) => {
      const found = gradients(loss, names);
      const along = found.map((gradient, i) => {
        const vector = input(`vector/${names[i]!}`, names[i]!);
        return b.op('ReduceSum', [b.mul(gradient, vector)], { keepdims: 0 });
      });
      return gradients(b.total(along), names);
    },
    { temperature, further: vectors },
  );
  return layers.map((layer, n) => {
    const weights = run.read(layer.name).toFloat32();
    return products[n]!.map((product, i) => weights[i]! * product);
  });
}

/** GraSP: before the first step, weights go whose absence harms the flow of gradients least, or helps it. */
export function grasp({ samples, temperature, ...sparsity }: GraspOptions): TrainingMethod {
  return sparseMethod({
    name: 'grasp',
    layers: (network, built) => sparseLayers(network, sparsity, built),
    async begin(masks) {
      const { run, layers } = masks;
      const scores = await graspScores(run, layers, await drawPerClass(run, samples), temperature);
      keepHighest(masks, scores, keptWeights(run.network, layers, sparsity), 'global');
    },
  });
}

export const GRASP = defineMethod({
  name: 'grasp',
  family: 'sparse',
  summary: 'Before the first step, by −θ·Hg: weights stay that keep gradients flowing.',
  paper: {
    title: 'Picking Winning Tickets Before Training by Preserving Gradient Flow',
    authors: 'Wang, Zhang, Grosse',
    year: 2020,
    url: 'https://arxiv.org/abs/2002.07376',
  },
  settings: {
    ...SPARSITY,
    samples: integer(10, { min: 1, description: 'examples of each class' }),
    temperature: number(200, { min: 1e-3, description: 'what the scores are divided by before the softmax' }),
  },
  create: grasp,
});
