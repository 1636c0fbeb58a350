import type { Batch } from '../../datasets/dataset.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { Parameter } from '../../nn/parameter.js';
import { integer, number } from '../../train/config/settings.js';
import { LossProbe, type ProbeContext } from '../../train/loss-probe.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { keepHighest } from './keep.js';
import { keptWeights, SPARSITY, type Sparsity, sparseLayers } from './layers.js';
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
  const parts = split(batch, CHUNK);
  const total = await summed(names, parts, run, temperature, ({ loss, gradients }) => gradients(loss, names));
  const vectors = Object.fromEntries(
    layers.map(({ name, dims }, i) => [`vector/${name}`, Tensor.float32(dims, total[i]!)]),
  );
  const products = await summed(
    names,
    parts,
    run,
    temperature,
    ({ b, loss, gradients, input }) => {
      const found = gradients(loss, names);
      const along = found.map((gradient, i) => {
        const vector = input(`vector/${names[i]!}`, names[i]!);
        return b.op('ReduceSum', [b.mul(gradient, vector)], { keepdims: 0 });
      });
      return gradients(b.total(along), names);
    },
    vectors,
  );
  return layers.map((layer, n) => {
    const weights = run.read(layer.name).toFloat32();
    return products[n]!.map((product, i) => weights[i]! * product);
  });
}

/** Means over a batch of what `build` makes for each parameter, computed part by part. */
async function summed(
  names: readonly string[],
  parts: readonly Batch[],
  run: TrainingRun,
  temperature: number,
  build: (context: ProbeContext) => readonly Value[],
  further: Batch = {},
): Promise<readonly Float32Array[]> {
  const probe = await LossProbe.create(
    run,
    context => Object.fromEntries(build(context).map((value, i) => [`result/${names[i]!}`, value])),
    { temperature },
  );
  try {
    const all = parts.reduce((sum, part) => sum + lengthOf(part), 0);
    let sums: Float32Array[] | undefined;
    for (const part of parts) {
      const results = await probe.run(part, further);
      const share = lengthOf(part) / all;
      const values = names.map(name => results[`result/${name}`]!.toFloat32());
      sums ??= values.map(({ length }) => new Float32Array(length));
      values.forEach((value, n) => {
        const sum = sums![n]!;
        for (let i = 0; i < sum.length; i++) sum[i]! += share * value[i]!;
      });
    }
    return sums!;
  } finally {
    await probe.release();
  }
}

const lengthOf = (batch: Batch): number => Object.values(batch)[0]!.dims[0]!;

/** Parts of a batch, of at most `size` examples. */
function split(batch: Batch, size: number): readonly Batch[] {
  const parts: Batch[] = [];
  for (let from = 0; from < lengthOf(batch); from += size) {
    parts.push(
      Object.fromEntries(Object.entries(batch).map(([name, tensor]) => [name, rows(tensor, from, size)])),
    );
  }
  return parts;
}

function rows(tensor: Tensor, from: number, count: number): Tensor {
  const [length, ...rest] = tensor.dims as [number, ...number[]];
  const bytes = tensor.bytes();
  const row = bytes.byteLength / length;
  const taken = Math.min(count, length - from);
  return new Tensor(tensor.dtype, [taken, ...rest], bytes.slice(from * row, (from + taken) * row));
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
