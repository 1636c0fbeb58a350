import { EndToEnd } from '../compress/end-to-end.js';
import type { CompressInputs } from '../compress/inputs.js';
import { selects } from '../compress/options.js';
import type { PhaseClock } from '../compress/phases.js';
import { rewriteExactly } from '../compress/rewrite-exactly.js';
import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import { initLinalg } from '../linalg/index.js';
import { type Allocation, allocateGlobally, allocateUniformly, type PruneTarget } from './allocate.js';
import { type ResidualBlock, withoutBlocks } from './blocks.js';
import { chooseBlocks } from './choose-blocks.js';
import { findGroups, type Groups } from './groups.js';
import type { RemovalCurve } from './importance/curve.js';
import type { PruneOptions } from './options.js';
import { refit } from './refit.js';
import { refuseUnprunable } from './refuse.js';
import { atomsOf, type Shrunk, shrink } from './remove.js';
import { examplesOf } from './retrain.js';
import { SizeForecast } from './size.js';
import { type Importance, readersOf, studyGroups } from './study.js';

export interface PruneSettings {
  readonly importance: Importance;
  readonly allocation: 'global' | 'uniform';
  readonly refit: boolean;
  readonly round: number;
  readonly approximate: boolean;
}

/** A model whose channels are ranked, from which any ratio can be pruned. */
export interface PruneStudy {
  /** A copy of the model, exact rewrites done. */
  readonly whole: Model;
  /** The same without the blocks that went; selections are of its groups. */
  readonly model: Model;
  readonly blocks: readonly ResidualBlock[];
  /** Each value of `whole` with its copy in `model`. */
  readonly copies: ReadonlyMap<Value, Value>;
  readonly groups: Groups;
  readonly curves: readonly RemovalCurve[];
  readonly settings: PruneSettings;
  readonly inputs: CompressInputs;
}

/** So many samples, or examples in batches, tell how important channels are and suffice to refit. */
const STUDIED = { samples: 48, examples: 512 };

/** Fewer inputs, for the study of channels and the refit; more are for retraining alone. */
export function studied(inputs: CompressInputs): CompressInputs {
  const { calibration } = inputs;
  const batches = Math.ceil(STUDIED.examples / examplesOf(calibration[0]!));
  return { ...inputs, calibration: calibration.slice(0, Math.min(STUDIED.samples, batches)) };
}

/** Ranks the channels of a model; the study serves any number of ratios. */
export async function openPruning(
  original: Model,
  inputs: CompressInputs,
  options: PruneOptions,
  clock: PhaseClock,
): Promise<PruneStudy> {
  const { importance = 'reconstruction', allocation = 'global', round = 8, approximate = false } = options;
  if (!Number.isInteger(round) || round < 1) {
    throw new WhittleError(`sizes must be rounded to a positive integer, not ${round}`, {
      hint: 'Take 8, 4 or 1',
    });
  }
  if (!Number.isInteger(options.blocks ?? 0) || (options.blocks ?? 0) < 0) {
    throw new WhittleError(`the number of blocks must be an integer, 0 or more, not ${options.blocks}`);
  }
  await initLinalg();
  const whole = cloneModel(original);
  rewriteExactly(whole);
  inferShapes(whole);
  const wanted = options.blocks ?? 0;
  const blocks =
    wanted === 0
      ? []
      : await chooseBlocks(whole, wanted, inputs.probes, options.threads, clock.start('blocks', wanted));
  const { model, copies } = withoutBlocks(whole, blocks);
  inferShapes(model);
  const groups = findGroups(model);
  const chosen = groups.groups.filter(
    group =>
      (approximate || group.approximate === undefined) &&
      selects(
        group.slices[0]!.map(({ constant }) => constant.name),
        options,
      ),
  );
  if (blocks.length === 0) refuseUnprunable(model, groups, chosen);
  const read = readersOf(model, groups, chosen);
  const sites = new Set(read.flatMap(({ read }) => read.map(({ site }) => site)));
  const endToEnd =
    importance === 'reconstruction' && allocation === 'global'
      ? await EndToEnd.create(model, [...sites], inputs.probes, options.threads)
      : undefined;
  try {
    const settings = { importance, allocation, refit: options.refit ?? true, round, approximate };
    const curves = await studyGroups(model, groups, read, inputs.calibration, endToEnd, {
      importance,
      round,
      seed: options.seed ?? 0,
      threads: options.threads,
      signal: options.signal,
      clock,
    });
    return { whole, model, blocks, copies, groups, curves, settings, inputs };
  } finally {
    await endToEnd?.release();
  }
}

/** Removes what costs least until the target is met, and refits what is left. */
export async function pruneTo(
  { whole, model, copies, blocks, groups, curves, settings, inputs }: PruneStudy,
  target: PruneTarget,
  options: PruneOptions,
  clock: PhaseClock,
): Promise<{ model: Model; allocation: Allocation }> {
  const forecast = new SizeForecast(model, groups.dependencies, inputs.heldOut[0]!);
  const allocate = settings.allocation === 'global' ? allocateGlobally : allocateUniformly;
  const allocation = allocate(curves, forecast, target);
  const shrunk = shrink(model, groups.dependencies, atomsOf(allocation.selection));
  if (settings.refit && (allocation.selection.size > 0 || blocks.length > 0)) {
    const composed = {
      model: shrunk.model,
      copies: new Map([...copies].map(([value, copy]) => [value, shrunk.copies.get(copy)!])),
      keptOf: (value: Value, axis: number) => shrunk.keptOf(copies.get(value)!, axis),
    };
    await refitWhole(whole, composed, inputs, options, clock);
  }
  removeDead(shrunk.model.graph);
  return { model: shrunk.model, allocation };
}

/** A model without some of its blocks, what is left refit. @param whole exact rewrites done, shapes inferred */
export async function pruneBlocks(
  whole: Model,
  blocks: readonly ResidualBlock[],
  inputs: CompressInputs,
  options: Pick<PruneOptions, 'threads'>,
  clock: PhaseClock,
): Promise<Model> {
  const { model, copies } = withoutBlocks(whole, blocks);
  inferShapes(model);
  await refitWhole(whole, { model, copies, keptOf: () => undefined }, inputs, options, clock);
  removeDead(model.graph);
  return model;
}

async function refitWhole(
  whole: Model,
  shrunk: Shrunk,
  inputs: CompressInputs,
  { threads }: Pick<PruneOptions, 'threads'>,
  clock: PhaseClock,
): Promise<void> {
  const report = clock.start('refit', 1);
  const onTurn = (done: number, total: number) => report(done / total);
  await refit(whole, shrunk, inputs.calibration, { threads, onTurn });
}
