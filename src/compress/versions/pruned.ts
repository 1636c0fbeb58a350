import { cloneModel } from '../../graph/clone.js';
import { WhittleError } from '../../graph/errors.js';
import { inferShapes } from '../../graph/infer/index.js';
import type { Model } from '../../graph/model.js';
import { openPruning, pruneTo, studied } from '../../prune/pruning.js';
import { type BudgetOutcome, hasBudget } from '../budget.js';
import { type CompressInputs, readInputs } from '../inputs.js';
import { type CompressOptions, readOptions, type Settings } from '../options.js';
import { heightAbove } from '../pareto.js';
import { PhaseClock } from '../phases.js';
import { holdsAll } from '../quality.js';
import type { CompressReport, ParetoReport } from '../report.js';
import { fastVersion } from './fast.js';
import { type PrunedVersion, recoverVersion } from './version.js';

/** Shares of the operations that `auto` tries; 1 is the whole model. */
const SHARES = [1, 0.9, 0.8, 0.7];

/**
 * The model pruned to a share of its operations, or to several, from one study of its channels; under a bound on latency
 * `auto` prunes until the time holds. Weights are refit, and trained where recovery by distillation was asked for, so
 * that what is compressed next is the best that pruning leaves.
 * @param prune 1 among the shares, or 'auto', gives the whole model too
 */
export async function prunedVersions(
  original: Model,
  prune: number | readonly number[] | 'auto',
  options: CompressOptions,
): Promise<PrunedVersion[]> {
  const shares = sharesOf(prune);
  const whole = shares.includes(1) ? [{ model: original, share: 1 }] : [];
  const settings = readOptions(options);
  const clock = new PhaseClock(options);
  const inputs = await inputsOf(original, options, settings);
  if (prune === 'auto' && settings.maxLatency !== undefined) {
    const fast = await fastVersion(original, inputs, options, settings, clock);
    // Ready for use, it goes before the whole model, whose layers have to be studied.
    if (fast) return fast.share === 1 ? [fast] : [fast, ...whole];
    const warning = `Pruning does not reach ${settings.maxLatency}× the time, neither without blocks nor without channels.`;
    return [{ model: original, share: 1, warnings: [warning] }];
  }
  const study = await openPruning(original, studied(inputs), options, clock);
  const versions: PrunedVersion[] = [];
  for (const share of shares.filter(share => share < 1)) {
    const { model, allocation } = await pruneTo(study, { flops: share }, options, clock);
    if (!allocation.met) continue;
    versions.push(await recoverVersion(original, { model, share }, inputs, options, settings, clock));
  }
  if (whole.length + versions.length > 0) return [...whole, ...versions];
  throw new WhittleError(`pruning cannot leave ${shares.join(' or ')} of the operations`, {
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

/** @throws WhittleError where one is no share */
function sharesOf(prune: number | readonly number[] | 'auto'): readonly number[] {
  const shares = prune === 'auto' ? SHARES : [...new Set([prune].flat())];
  if (shares.length === 0) {
    throw new WhittleError('there is no share of the operations that pruning is to leave', {
      hint: 'Write 0.8, or auto to try several',
    });
  }
  return shares.map(share => {
    const alone = shares.length === 1;
    if (typeof share === 'number' && share > 0 && (alone ? share < 1 : share <= 1)) return share;
    throw new WhittleError(
      `the share of operations that pruning leaves must lie between 0 and 1, not ${share}`,
      { hint: 'Write 0.8, or 1,0.9,0.8 or auto to try several' },
    );
  });
}

/**
 * Which of several compressions is best: one that holds its budget; of these the smallest where quality alone is bound,
 * else the one whose outputs are most like the original's. Where a front was measured and nothing is bound, each is the
 * knee of its own front, and the best is the nearest to a knee of all fronts together.
 */
export function bestOf<T extends { readonly report: CompressReport }>(
  results: readonly T[],
  options: CompressOptions,
  front?: ParetoReport,
): T {
  if (front && !hasBudget(options)) {
    const place = ({ report }: T) => ({ bytes: report.bytes.after, cosine: likeness(report) });
    const height = heightAbove(front.points[0]!, results[0]!.report.bytes.before);
    return results.reduce((best, one) => (height(place(one)) > height(place(best)) ? one : best));
  }
  const settings = readOptions(options);
  return results.reduce((best, one) => (isBetter(one.report, best.report, settings) ? one : best));
}

/**
 * Whether a holds the budget and b does not. Where neither does, whether it misses it by less: the time first, which is
 * the harder to reach. Else whether it is smaller (where quality alone is bound) or more alike.
 */
export function isBetter(
  a: CompressReport,
  b: CompressReport,
  { quality, maxLatency }: Pick<Settings, 'quality' | 'maxLatency'>,
): boolean {
  if (holdsAll(a.budget) !== holdsAll(b.budget)) return holdsAll(a.budget);
  if (!holdsAll(a.budget)) {
    const nearer = compareMissed(a, b);
    if (nearer !== 0) return nearer < 0;
  }
  const bySize = quality.length > 0 && maxLatency === undefined;
  return bySize ? a.bytes.after < b.bytes.after : likeness(a) > likeness(b);
}

/** Negative where a misses the first bound that tells the two apart by less. */
function compareMissed(a: CompressReport, b: CompressReport): number {
  const timeFirst = [...a.budget.keys()].sort(
    (i, j) => Number(isTime(a.budget[j]!)) - Number(isTime(a.budget[i]!)),
  );
  for (const i of timeFirst) {
    const [ofA, ofB] = [missed(a.budget[i]!), missed(b.budget[i]!)];
    if (ofA !== ofB) return ofA < ofB ? -1 : 1;
  }
  return 0;
}

const isTime = ({ bound }: BudgetOutcome): boolean => bound.startsWith('time');

/** By how much a bound is missed, in its own unit; what could not be measured is infinitely far off. */
function missed({ held, measured, limit }: BudgetOutcome): number {
  if (held) return 0;
  return Number.isNaN(measured) ? Number.POSITIVE_INFINITY : Math.abs(measured - limit);
}

const likeness = ({ verification }: CompressReport): number =>
  Math.min(...verification.outputs.map(({ cosine }) => cosine));
