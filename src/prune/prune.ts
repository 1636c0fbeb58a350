import { countParameters } from '../compress/build-report.js';
import { costOfRun } from '../compress/cost.js';
import { readInputs } from '../compress/inputs.js';
import { PhaseClock } from '../compress/phases.js';
import { verify } from '../compress/verify.js';
import { cloneModel } from '../graph/clone.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { type SavedModel, type SaveOptions, save } from '../onnx/files.node.js';
import { encodeToBytes, modelByteLength } from '../onnx/index.js';
import { VERSION } from '../version.js';
import { describeGroup } from './describe.js';
import { type PruneOptions, readEpochs, readTarget } from './options.js';
import { openPruning, type PruneSettings, pruneTo, studied } from './pruning.js';
import type { GroupImportance, PruneReport } from './report.js';
import { retrain } from './retrain.js';
import { verdictOf } from './verdict.js';

export interface PruneResult {
  readonly model: Model;
  readonly report: PruneReport;
  bytes(): Uint8Array;
  save(path: string, options?: SaveOptions): Promise<SavedModel>;
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

/** What the errors of the curves mean. */
function lostBy({ importance, allocation }: PruneSettings): GroupImportance['of'] {
  if (importance === 'magnitude') return 'weights';
  return importance === 'taylor' || allocation === 'global' ? 'outputs' : 'layers';
}
