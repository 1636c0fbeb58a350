import { cloneModel } from '../../graph/clone.js';
import { WhittleError } from '../../graph/errors.js';
import { inferShapes } from '../../graph/infer/index.js';
import type { Model } from '../../graph/model.js';
import { findBlocks } from '../../prune/blocks.js';
import { chooseBlocksForTime } from '../../prune/choose-blocks.js';
import { openPruning, pruneBlocks, pruneTo, studied } from '../../prune/pruning.js';
import { runSamples } from '../../runtime/index.js';
import { costOfRun } from '../cost.js';
import { Distortion } from '../distortion.js';
import { Evaluator } from '../evaluator.js';
import { fastForm } from '../fast-form.js';
import type { CompressInputs } from '../inputs.js';
import type { CompressOptions, Settings } from '../options.js';
import type { PhaseClock } from '../phases.js';
import { rewriteExactly } from '../rewrite-exactly.js';
import { longestFor, timeOf } from '../time.js';
import { type PrunedVersion, recoverVersion } from './version.js';

/** Shares of the operations that are tried; how much time each takes is measured. */
const SHARES = Array.from({ length: 18 }, (_, i) => 0.95 - 0.05 * i);

/** What the two ways of pruning to a time work with. */
export interface TimeSearch {
  /** The longest time that will do, as a share of the original's. */
  readonly longest: number;
  /** A model's time, as a share of the original's. */
  timeOf(model: Model): Promise<number>;
  readonly inputs: CompressInputs;
  readonly options: CompressOptions;
  readonly clock: PhaseClock;
}

/**
 * The model pruned until it runs in a share of its time, its weights refit: without whole residual blocks or without
 * channels. Operations do not tell time: channels come in blocks of 8 or 16 in memory, and early layers of few channels
 * take longer than they count. So each version is timed.
 * @returns the original where another form of it suffices; `undefined` where nothing is fast enough
 */
export async function fastVersion(
  original: Model,
  inputs: CompressInputs,
  options: CompressOptions,
  settings: Settings,
  clock: PhaseClock,
): Promise<PrunedVersion | undefined> {
  const evaluator = await Evaluator.create(original, inputs.confirmed, options);
  const longest = longestFor(settings.maxLatency!, evaluator);
  let nearest: Model | undefined;
  try {
    const whole = exactly(original);
    const form = await fastForm(whole, inputs.confirmed[0]!, options);
    const search: TimeSearch = {
      longest,
      // What is left is written in that form too.
      timeOf: model => timeOf(form(model), evaluator, longest),
      inputs: studied(inputs),
      options,
      clock,
    };
    if ((await search.timeOf(whole)) <= longest) return { model: original, share: 1, fast: true };
    nearest = await pruneToTime(original, search);
  } finally {
    await evaluator.release();
  }
  if (!nearest) return undefined;
  const cost = costOfRun(original, nearest, inputs.heldOut[0]!);
  const share = cost ? cost.after / cost.before : Number.NaN;
  return recoverVersion(original, { model: nearest, share, fast: true }, inputs, options, settings, clock);
}

/**
 * The model without blocks or without channels such that its time is at most `longest`: the one whose outputs are nearer to
 * the original's; where it will be retrained, the one without blocks if there is one.
 */
export async function pruneToTime(original: Model, search: TimeSearch): Promise<Model | undefined> {
  const whole = exactly(original);
  const shallow = await withoutSlowBlocks(whole, search);
  // Retraining wins back what blocks took: a study of the channels, much the longest part, would not pay.
  if (shallow && search.options.recover === 'distill') return shallow;
  const narrow = await withoutChannels(original, search);
  const candidates = [shallow, narrow].filter(model => model !== undefined);
  return nearestOf(candidates, whole, search);
}

function exactly(original: Model): Model {
  const copy = cloneModel(original);
  rewriteExactly(copy);
  inferShapes(copy);
  return copy;
}

async function withoutSlowBlocks(
  whole: Model,
  { longest, timeOf, inputs, options, clock }: TimeSearch,
): Promise<Model | undefined> {
  const most = findBlocks(whole).length;
  if (most === 0) return undefined;
  const blocks = await chooseBlocksForTime(
    whole,
    longest,
    { samples: inputs.probes, threads: options.threads, timeOf },
    clock.start('blocks', most),
  );
  return blocks && pruneBlocks(whole, blocks, inputs, options, clock);
}

/** The largest share of the operations that is fast enough, by bisection. */
async function withoutChannels(
  original: Model,
  { longest, timeOf, inputs, options, clock }: TimeSearch,
): Promise<Model | undefined> {
  let study: Awaited<ReturnType<typeof openPruning>>;
  try {
    study = await openPruning(original, inputs, options, clock);
  } catch (error) {
    // Nothing can go: the blocks may do.
    if (!(error instanceof WhittleError)) throw error;
    return undefined;
  }
  const unfitted = { ...study, settings: { ...study.settings, refit: false } };
  const searched = clock.start('search', Math.ceil(Math.log2(SHARES.length + 1)));
  let [fast, slow] = [SHARES.length, -1];
  for (let tries = 0; fast - slow > 1; tries++) {
    searched(tries);
    const middle = (fast + slow) >> 1;
    const { model } = await pruneTo(unfitted, { flops: SHARES[middle]! }, options, clock);
    if ((await timeOf(model)) <= longest) fast = middle;
    else slow = middle;
  }
  if (fast === SHARES.length) return undefined;
  return (await pruneTo(study, { flops: SHARES[fast]! }, options, clock)).model;
}

async function nearestOf(
  models: readonly Model[],
  whole: Model,
  { inputs: { probes }, options: { threads } }: TimeSearch,
): Promise<Model | undefined> {
  if (models.length < 2) return models[0];
  const distortion = new Distortion(await runSamples(whole, probes, threads));
  let best: { model: Model; distance: number } | undefined;
  for (const model of models) {
    const outputs = await runSamples(model, probes, threads);
    const distance = outputs.reduce((sum, own, i) => sum + distortion.ofSample(i, own), 0);
    if (!best || distance < best.distance) best = { model, distance };
  }
  return best?.model;
}
