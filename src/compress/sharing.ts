import type { Site } from '../calibrate/sites.js';
import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { mergeConstants, removeDead } from '../graph/rewrite/index.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { EndToEnd } from './end-to-end.js';
import { openJob } from './job.js';
import { toMatrix } from './matrix.js';
import type { CompressOptions } from './options.js';

/** A weight that is nearly another one, up to a factor. */
export interface Twin {
  readonly site: Site;
  /** The weight that stands in for it. */
  readonly of: Site;
  readonly factor: number;
  /** ‖B − factor · A‖ / ‖B‖ */
  readonly difference: number;
}

/**
 * Pairs of weights of the same shape and layout in which one is nearly a multiple of the other, nearest first. Each
 * weight has at most one twin, and what stands in for another is no twin itself.
 * @param tolerance largest relative difference; 0 finds exact multiples alone
 */
export function findTwins(sites: readonly Site[], tolerance: number): Twin[] {
  const pairs: Twin[] = [];
  const usable = sites.filter(({ mixed, nested }) => !mixed && !nested);
  for (const key of new Set(usable.map(keyOf))) {
    const group = usable.filter(site => keyOf(site) === key);
    const weights = group.map(({ tensor, layout }) => toMatrix(tensor, layout).data);
    for (const [i, a] of weights.entries()) {
      for (let j = i + 1; j < weights.length; j++) {
        const { factor, difference } = compare(a, weights[j]!);
        if (difference <= tolerance) pairs.push({ site: group[j]!, of: group[i]!, factor, difference });
      }
    }
  }
  pairs.sort((a, b) => a.difference - b.difference);
  const twins: Twin[] = [];
  for (const pair of pairs) {
    const taken = twins.some(({ site, of }) => site === pair.site || site === pair.of || of === pair.site);
    if (!taken) twins.push(pair);
  }
  return twins;
}

const keyOf = ({ tensor: { dtype, dims }, layout }: Site): string =>
  `${dtype} ${dims.join('×')} ${layout.perm.join(',')}`;

/** The factor with which A is nearest to B, and what is left. */
function compare(a: Float32Array, b: Float32Array): { factor: number; difference: number } {
  let [aa, ab, bb] = [0, 0, 0];
  let equal = true;
  for (let i = 0; i < a.length; i++) {
    aa += a[i]! * a[i]!;
    ab += a[i]! * b[i]!;
    bb += b[i]! * b[i]!;
    equal &&= a[i] === b[i];
  }
  if (equal) return { factor: 1, difference: 0 };
  if (aa === 0 || bb === 0) return { factor: 0, difference: Infinity };
  const factor = Math.fround(ab / aa);
  let left = 0;
  for (let i = 0; i < a.length; i++) left += (b[i]! - factor * a[i]!) ** 2;
  return { factor, difference: Math.sqrt(left / bb) };
}

/** A copy of a model in which each twin is the other weight times its factor, which ONNX Runtime computes at load. */
export function writeTwins(model: Model, twins: readonly Twin[]): Model {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  for (const { site, of, factor } of twins) {
    const weight = values.get(of.value)!;
    const shared =
      factor === 1
        ? weight
        : copy.graph.op('Mul', [
            weight,
            copy.graph.constant(Tensor.fromNumbers(site.tensor.dtype, [], [factor]), 'k'),
          ]);
    copy.graph.replaceUses(values.get(site.value)!, shared);
  }
  removeDead(copy.graph);
  return copy;
}

export interface SharingOptions extends Pick<CompressOptions, 'inputs' | 'samples' | 'seed' | 'threads'> {
  /** Largest relative difference of weights that are tried; default 0.1. */
  tolerance?: number;
  /** Largest distortion of the outputs by all ties together, see `EndToEnd.measure`; default 1e-4. */
  distortion?: number;
}

export interface Sharing {
  readonly model: Model;
  readonly tied: readonly Twin[];
  /** Tried, and given up for what they did to the outputs. */
  readonly refused: readonly Twin[];
  /** Of the outputs, by all that is tied. */
  readonly distortion: number;
}

/**
 * Stores equal constants once, and ties weights that are nearly multiples of each other where that is measured to be
 * harmless: nearest first, each on top of those before it. The given model is not changed.
 * @throws WhittleError for bounds below 0, and as `compress` does
 */
export async function shareWeights(original: Model, options: SharingOptions = {}): Promise<Sharing> {
  const { tolerance = 0.1, distortion: bound = 1e-4, ...rest } = options;
  if (!(tolerance >= 0 && bound >= 0)) {
    throw new WhittleError('tolerance and distortion must not be below 0');
  }
  const { model, sites, inputs } = await openJob(original, rest);
  const twins = findTwins(sites, tolerance);
  const tied: Twin[] = [];
  const refused: Twin[] = [];
  let distortion = 0;
  if (twins.length > 0) {
    const endToEnd = await EndToEnd.create(
      model,
      twins.map(({ site }) => site),
      inputs.heldOut,
      options.threads,
    );
    try {
      for (const twin of twins) {
        const measured = await endToEnd.measure(new Map([...tied, twin].map(weightOf)));
        if (measured <= bound) {
          tied.push(twin);
          distortion = measured;
        } else refused.push(twin);
      }
    } finally {
      await endToEnd.release();
    }
  }
  const shared = writeTwins(model, tied);
  mergeConstants(shared.graph);
  return { model: shared, tied, refused, distortion };
}

const weightOf = ({ site, of, factor }: Twin): [Site, Float32Array] => [
  site,
  toMatrix(of.tensor, of.layout).data.map(v => v * factor),
];
