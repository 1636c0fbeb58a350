import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { openPruning, pruneTo } from '../prune/prune.js';
import { readInputs } from './inputs.js';
import { type CompressOptions, readOptions } from './options.js';
import { PhaseClock } from './phases.js';
import { holdsAll } from './quality.js';
import type { CompressReport } from './report.js';

/** A version of the model to compress, and the share of its operations that pruning left. */
export interface PrunedVersion {
  readonly model: Model;
  readonly share: number;
}

/** Shares of the operations that `auto` tries besides the whole model. */
const SHARES = [0.9, 0.8, 0.7];

/**
 * The model pruned to a share of its operations, or to several, from one study of its channels. Weights are refit, so
 * that what is compressed next is the best that pruning leaves.
 */
export async function prunedVersions(original: Model, options: CompressOptions): Promise<PrunedVersion[]> {
  const { prune } = options;
  if (prune !== 'auto' && !(typeof prune === 'number' && prune > 0 && prune < 1)) {
    throw new WhittleError(
      `the share of operations that pruning leaves must lie between 0 and 1, not ${prune}`,
      {
        hint: 'Write 0.8, or auto to try several',
      },
    );
  }
  const clock = new PhaseClock(options);
  const settings = readOptions(options);
  const inferred = cloneModel(original);
  inferShapes(inferred);
  const inputs = await readInputs(inferred, options, settings);
  const study = await openPruning(original, inputs, options, clock);
  const versions: PrunedVersion[] = prune === 'auto' ? [{ model: original, share: 1 }] : [];
  for (const share of prune === 'auto' ? SHARES : [prune]) {
    const { model, allocation } = await pruneTo(study, { flops: share }, options, clock);
    if (allocation.met) versions.push({ model, share });
  }
  if (versions.length > 0) return versions;
  throw new WhittleError(`pruning cannot leave ${prune} of the operations`, {
    hint: 'Ask for less, or see whittle inspect --groups for what can go',
  });
}

/**
 * Which of several compressions is best: one that holds its budget; of these the smallest where quality is bound, else
 * the one whose outputs are most like the original's.
 */
export function isBetter(a: CompressReport, b: CompressReport, bound: boolean): boolean {
  if (holdsAll(a.budget) !== holdsAll(b.budget)) return holdsAll(a.budget);
  return bound ? a.bytes.after < b.bytes.after : likeness(a) > likeness(b);
}

const likeness = ({ verification }: CompressReport): number =>
  Math.min(...verification.outputs.map(({ cosine }) => cosine));
