import { countParameters } from '../compress/build-report.js';
import { costOfRun } from '../compress/cost.js';
import { EndToEnd } from '../compress/end-to-end.js';
import { type CompressInputs, readInputs } from '../compress/inputs.js';
import { type CompressOptions, selects } from '../compress/options.js';
import { PhaseClock } from '../compress/phases.js';
import { rewriteExactly } from '../compress/prepare.js';
import { verify } from '../compress/verify.js';
import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import { initLinalg } from '../linalg/index.js';
import { type SavedModel, type SaveOptions, save } from '../onnx/files.node.js';
import { encodeToBytes, modelByteLength } from '../onnx/index.js';
import { VERSION } from '../version.js';
import { type Allocation, allocateGlobally, allocateUniformly, type PruneTarget } from './allocate.js';
import { type ResidualBlock, withoutBlocks } from './blocks.js';
import { chooseBlocks } from './choose-blocks.js';
import { describeGroup } from './describe.js';
import { findGroups, type Groups } from './groups.js';
import type { RemovalCurve } from './importance/curve.js';
import { refit } from './refit.js';
import { refuseUnprunable } from './refuse.js';
import { atomsOf, type Shrunk, shrink } from './remove.js';
import type { GroupImportance, PruneReport } from './report.js';
import { examplesOf, RETRAIN_EPOCHS, retrain } from './retrain.js';
import { SizeForecast } from './size.js';
import { type Importance, readersOf, studyGroups } from './study.js';
import { verdictOf } from './verdict.js';

export interface PruneOptions
  extends Pick<
    CompressOptions,
    | 'inputs'
    | 'heldOut'
    | 'samples'
    | 'evaluate'
    | 'include'
    | 'exclude'
    | 'seed'
    | 'threads'
    | 'provider'
    | 'timing'
    | 'onProgress'
    | 'signal'
  > {
  /** Share of the floating-point operations that is left, such as 0.7. */
  flops?: number;
  /** Share of the parameters that is left. */
  parameters?: number;
  /**
   * How channels are ranked: by what the layers that read them can no longer say (`reconstruction`, the default), by the
   * outputs' derivatives (`taylor`), or by their weights alone (`magnitude`).
   */
  importance?: Importance;
  /** The same share of every group (`uniform`), or most where it costs least (`global`, the default). */
  allocation?: 'global' | 'uniform';
  /** Fit the weights that are left to what the layers said; default true. */
  refit?: boolean;
  /**
   * Then train the whole to give the original's outputs on the calibration inputs, at most so many passes over them
   * (`true`: 10). Default none.
   */
  retrain?: boolean | number;
  /** Sizes that are left are multiples of this; default 8. */
  round?: number;
  /** Remove so many residual blocks first, those that change the outputs least; default 0. */
  blocks?: number;
  /** Remove channels over which a normalization takes statistics too; default false. */
  approximate?: boolean;
}

export interface PruneResult {
  readonly model: Model;
  readonly report: PruneReport;
  bytes(): Uint8Array;
  save(path: string, options?: SaveOptions): Promise<SavedModel>;
}

interface PruneSettings {
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

/**
 * Removes whole channels, heads and neurons from a model until a share of its work is left, refits the weights that
 * remain, and verifies the result on inputs that took no part. The given model is not changed.
 * @throws WhittleError where nothing can be removed (weights stored as integers, shapes that only a run decides), for
 *   options out of range, and for inputs that do not fit
 */
export async function prune(original: Model, options: PruneOptions): Promise<PruneResult> {
  const target = readTarget(options);
  const epochs = readEpochs(options.retrain);
  const clock = new PhaseClock(options);
  clock.start('inputs', 1);
  const { calibration = 64, verification = 64 } = options.samples ?? {};
  const seed = options.seed ?? 0;
  const inferred = cloneModel(original);
  inferShapes(inferred);
  const inputs = await readInputs(inferred, options, { calibration, verification, seed });
  const study = await openPruning(original, studied(inputs), options, clock);
  const { model: pruned, allocation } = await pruneTo(study, target, options, clock);
  const trained =
    epochs > 0
      ? await retrain(original, pruned, inputs, {
          epochs,
          threads: options.threads,
          signal: options.signal,
          onEpoch: clock.start('retrain', epochs),
        })
      : undefined;
  const model = trained?.model ?? pruned;
  const checked = await verify(original, model, inputs, options, clock);
  const cost = costOfRun(original, model, inputs.heldOut[0]!);
  const report: Omit<PruneReport, 'verdict'> = {
    version: 1,
    date: new Date().toISOString(),
    whittle: VERSION,
    model: {
      ...(original.path !== undefined && { path: original.path }),
      name: original.path?.split(/[\\/]/).at(-1) ?? original.graph.name,
    },
    settings: { ...study.settings, seed },
    target,
    met: allocation.met,
    bytes: { before: modelByteLength(original), after: modelByteLength(model) },
    parameters: { before: countParameters(original.graph), after: countParameters(model.graph) },
    ...(cost && { flops: cost }),
    ...(checked.time && { time: checked.time }),
    calibration: inputs.about.calibration,
    verification: checked.verification,
    scores: checked.scores,
    groups: study.groups.groups.map(group =>
      describeGroup(group, {
        removed: allocation.selection.get(group)?.length ?? 0,
        curve: study.curves.find(curve => curve.group === group),
        of: lostBy(study.settings),
      }),
    ),
    blocks: study.blocks.map(({ name }) => name),
    ...(trained && { retraining: trained.report }),
    phases: clock.phases,
    warnings: inputs.warnings,
  };
  return {
    model,
    report: { ...report, verdict: verdictOf(report) },
    bytes: () => encodeToBytes(model),
    save: (path, saveOptions) => save(model, path, saveOptions),
  };
}

/** So many samples, or examples in batches, tell how important channels are and suffice to refit. */
const STUDIED = { samples: 48, examples: 512 };

/** Fewer inputs, for the study of channels and the refit; more are for retraining alone. */
export function studied(inputs: CompressInputs): CompressInputs {
  const { calibration } = inputs;
  const batches = Math.ceil(STUDIED.examples / examplesOf(calibration[0]!));
  return { ...inputs, calibration: calibration.slice(0, Math.min(STUDIED.samples, batches)) };
}

/** What the errors of the curves mean. */
function lostBy({ importance, allocation }: PruneSettings): GroupImportance['of'] {
  if (importance === 'magnitude') return 'weights';
  return importance === 'taylor' || allocation === 'global' ? 'outputs' : 'layers';
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

function readEpochs(retrain: boolean | number = false): number {
  const epochs = retrain === true ? RETRAIN_EPOCHS : Number(retrain);
  if (Number.isInteger(epochs) && epochs >= 0) return epochs;
  throw new WhittleError(`the passes of a retraining are a whole number, not ${retrain}`);
}

function readTarget({ flops, parameters, blocks }: PruneOptions): { flops?: number; parameters?: number } {
  for (const [name, share] of Object.entries({ flops, parameters })) {
    if (share !== undefined && !(share > 0 && share <= 1)) {
      throw new WhittleError(`the share of ${name} that is left must lie between 0 and 1, not ${share}`, {
        hint: '0.7 leaves 70%',
      });
    }
  }
  if (flops === undefined && parameters === undefined && !blocks) {
    throw new WhittleError('it is not said how much is to be left', {
      hint: 'Give a share of the operations (flops: 0.7), of the parameters (parameters: 0.5), or a number of blocks',
    });
  }
  return { ...(flops !== undefined && { flops }), ...(parameters !== undefined && { parameters }) };
}
