import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { openPruning, pruneTo, studied } from '../prune/prune.js';
import { fastVersion } from './fast-version.js';
import { type CompressInputs, readInputs } from './inputs.js';
import { type CompressOptions, readOptions, type Settings } from './options.js';
import { PhaseClock } from './phases.js';
import { holdsAll } from './quality.js';
import type { CompressReport } from './report.js';
import { type PrunedVersion, recoverVersion } from './version.js';

/** Shares of the operations that `auto` tries besides the whole model. */
const SHARES = [0.9, 0.8, 0.7];

/**
 * The model pruned to a share of its operations, or to several, from one study of its channels; under a bound on latency
 * `auto` prunes until the time holds. Weights are refit, and trained where recovery by distillation was asked for, so
 * that what is compressed next is the best that pruning leaves.
 * @param prune 'auto' gives the whole model too
 */
export async function prunedVersions(
  original: Model,
  prune: number | 'auto',
  options: CompressOptions,
): Promise<PrunedVersion[]> {
  if (prune !== 'auto' && !(prune > 0 && prune < 1)) {
    throw new WhittleError(
      `the share of operations that pruning leaves must lie between 0 and 1, not ${prune}`,
      {
        hint: 'Write 0.8, or auto to try several',
      },
    );
  }
  const whole = prune === 'auto' ? [{ model: original, share: 1 }] : [];
  const settings = readOptions(options);
  const clock = new PhaseClock(options);
  const inputs = await inputsOf(original, options, settings);
  if (prune === 'auto' && settings.maxLatency !== undefined) {
    const fast = await fastVersion(original, inputs, options, settings, clock);
    // Ready for use, it goes before the whole model, whose layers have to be studied.
    return fast ? [fast, ...whole] : whole;
  }
  const study = await openPruning(original, studied(inputs), options, clock);
  const versions: PrunedVersion[] = [];
  for (const share of prune === 'auto' ? SHARES : [prune]) {
    const { model, allocation } = await pruneTo(study, { flops: share }, options, clock);
    if (!allocation.met) continue;
    versions.push(await recoverVersion(original, { model, share }, inputs, options, settings, clock));
  }
  if (whole.length + versions.length > 0) return [...whole, ...versions];
  throw new WhittleError(`pruning cannot leave ${prune} of the operations`, {
    hint: 'Ask for less, or see whittle inspect --groups for what can go',
  });
}

async function inputsOf(
  original: Model,
  options: CompressOptions,
  settings: Settings,
): Promise<CompressInputs> {
  const inferred = cloneModel(original);
  inferShapes(inferred);
  return readInputs(inferred, options, settings);
}

/**
 * Which of several compressions is best: one that holds its budget; of these the smallest where quality alone is bound,
 * else the one whose outputs are most like the original's.
 */
export function isBetter(
  a: CompressReport,
  b: CompressReport,
  { quality, maxLatency }: Pick<Settings, 'quality' | 'maxLatency'>,
): boolean {
  if (holdsAll(a.budget) !== holdsAll(b.budget)) return holdsAll(a.budget);
  const bySize = quality.length > 0 && maxLatency === undefined;
  return bySize ? a.bytes.after < b.bytes.after : likeness(a) > likeness(b);
}

const likeness = ({ verification }: CompressReport): number =>
  Math.min(...verification.outputs.map(({ cosine }) => cosine));
