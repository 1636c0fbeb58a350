import { unseenLayers } from '../calibrate/sites.js';
import type { Sample } from '../data/sample.js';
import { quantizedShare } from '../graph/constants.js';
import type { Model } from '../graph/model.js';
import { type SavedModel, type SaveOptions, save } from '../onnx/files.node.js';
import { encodeToBytes, modelByteLength } from '../onnx/index.js';
import { VERSION } from '../version.js';
import { hasBudget, parseSize } from './budget.js';
import { countParameters, describeLayer, describeModel } from './build-report.js';
import { costOfRun } from './cost.js';
import { Evaluator } from './evaluator.js';
import { judgedByItself } from './inputs.js';
import { type Job, openJob } from './job.js';
import { type CompressOptions, readOptions } from './options.js';
import { joinFronts, type MeasuredFront, measureFront, type VersionFront } from './pareto.js';
import { atMost, holdsAll, qualityOutcomes } from './quality.js';
import { recover } from './recover/recover.js';
import type { CompressReport, ParetoReport } from './report.js';
import type { Plan } from './search/plan.js';
import { search } from './search/search.js';
import { addSpectra } from './spectra.js';
import { study, withStudies } from './studies.js';
import type { LayerFindings } from './study.js';
import { verdictFor } from './verdict.js';
import { verify } from './verify.js';
import { bestOf, prunedVersions } from './versions/pruned.js';
import { type PrunedVersion, recoveryOf } from './versions/version.js';
import { writeChoices } from './write.js';

export interface CompressResult {
  /** The compressed model; the given one where nothing made it smaller. */
  readonly model: Model;
  readonly report: CompressReport;
  /** The inputs of verification, to which `report.verification.outputs[…].worst` refers by index. */
  readonly heldOut: readonly Sample[];
  /** The file's bytes. @throws WhittleError above 2 GB */
  bytes(): Uint8Array;
  /** Writes the file (Node): to a temporary name first, then renamed. */
  save(path: string, options?: SaveOptions): Promise<SavedModel>;
}

/**
 * Compresses a model to a budget: studies every layer on calibration inputs, chooses the best mix of methods for the
 * budget (or, without one, the smallest that keeps each layer's error rule and the outputs' likeness), and verifies the
 * whole in ONNX Runtime on inputs that calibration did not see. The given model is not changed.
 *
 * A budget that cannot be met gives the nearest result, and `report.budget` says what does not hold.
 * @throws WhittleError for options out of range, inputs that do not fit, NaN activations, and a model that ONNX
 *   Runtime rejects
 */
export async function compress(original: Model, options: CompressOptions = {}): Promise<CompressResult> {
  const { prune } = options;
  const settings = readOptions(options);
  const whole = { model: original, share: 1 };
  if (prune === undefined || prune === false) {
    const result = await compressVersion(original, whole, options);
    const fastEnough = settings.maxLatency === undefined || holdsAll(result.report.budget);
    if (fastEnough || prune === false) return result;
    const [version] = await prunedVersions(original, 'auto', options);
    if (version?.fast) {
      return bestWithAttempts([await compressVersion(original, version, options), result], options);
    }
    result.report.warnings.push(...(version?.warnings ?? []));
    return result;
  }
  const results: CompressResult[] = [];
  const fronts: VersionFront[] = [];
  for (const version of await prunedVersions(original, prune, options)) {
    const result = await compressVersion(original, version, options);
    results.push(result);
    if (result.report.pareto) fronts.push({ share: version.share, front: result.report.pareto });
    // Where both time and quality were said and hold, nothing more was asked for.
    if (settings.maxLatency !== undefined && settings.quality.length > 0 && holdsAll(result.report.budget)) {
      break;
    }
  }
  const front = fronts.length > 0 ? joinFronts(fronts) : undefined;
  return bestWithAttempts(results, options, front);
}

/** The best of several; where it misses the budget, it says what the others reached. */
function bestWithAttempts(
  results: readonly CompressResult[],
  options: CompressOptions,
  front?: ParetoReport,
): CompressResult {
  const best = bestOf(results, options, front);
  if (front) best.report.pareto = front;
  if (!holdsAll(best.report.budget)) {
    best.report.warnings.push(...results.filter(result => result !== best).map(attemptOf));
  }
  return best;
}

/** What a version that was not taken reached. */
function attemptOf({ report }: CompressResult): string {
  const version =
    report.pruned === undefined
      ? 'unpruned'
      : `pruned to ${Math.round(100 * report.pruned)}% of its operations`;
  const bounds = report.budget.map(
    ({ bound, measured, held }) =>
      `${bound} ${held ? 'holds' : 'does not hold'} (${Number(measured.toPrecision(3))})`,
  );
  return `Tried too, ${version}: ${bounds.join(', ')}.`;
}

/** Compresses a version of the original; everything is measured against the original itself. */
async function compressVersion(
  original: Model,
  base: PrunedVersion,
  options: CompressOptions,
): Promise<CompressResult> {
  const job = await openJob(original, options, base.model);
  const { settings, clock, inputs, model } = job;
  const before = modelByteLength(original);
  const limit = options.maxSize === undefined ? roomOf(job, before) : parseSize(options.maxSize, before);

  // What is fast enough as it is loses nothing where no weight is touched.
  const asItIs = base.fast && limit === undefined && !settings.pareto;
  const findings = asItIs ? [] : await study(job);
  const { choice, warnings, front }: Chosen = asItIs
    ? { choice: new Map(), warnings: [] }
    : await choose(job, findings, limit, base.share < 1);

  const recovered = settings.recover && !asItIs && (await recover(job, choice, settings.recover));
  const candidate = recovered ? recovered.model : writeChoices(model, choice);
  const after = modelByteLength(candidate);
  const unchanged = after >= before;
  const result = unchanged ? original : candidate;
  const verified = await verify(original, result, inputs, options, clock);
  const layers = job.sites.map(site =>
    describeLayer(
      site,
      findings.find(f => f.site === site),
      unchanged ? undefined : (recovered ? recovered.choice : choice).get(site),
      settings.error,
    ),
  );
  if (options.spectra) await addSpectra(layers, job.sites, clock);
  const bytes = { before, after: unchanged ? before : after };
  const budget = [
    ...(limit === undefined || options.maxSize === undefined
      ? []
      : [atMost(`size ≤ ${options.maxSize}`, limit, bytes.after)]),
    ...(settings.maxLatency === undefined
      ? []
      : [atMost(`time ≤ ${options.maxLatency}`, settings.maxLatency, timeRatio(verified.time))]),
    ...qualityOutcomes(settings.quality, { ...verified, outputs: verified.verification.outputs }),
  ];
  const cost = costOfRun(
    base.model === original ? model : original,
    unchanged ? model : result,
    inputs.heldOut[0]!,
  );
  const report: Omit<CompressReport, 'verdict'> = {
    version: 1,
    date: new Date().toISOString(),
    whittle: VERSION,
    model: describeModel(original),
    settings: {
      ...settings,
      methods: job.methods.map(({ name }) => name),
      quality: settings.quality.map(({ text }) => text),
    },
    unchanged,
    ...(base.share < 1 && !unchanged && { pruned: base.share }),
    bytes,
    budget,
    parameters: { before: countParameters(original.graph), after: countParameters(result.graph) },
    ...(cost && { flops: cost }),
    calibration: inputs.about.calibration,
    ...verified,
    ...(front && { pareto: front.report }),
    ...(recovered && !unchanged && { recovery: recovered.report }),
    ...(asItIs && base.retraining && { recovery: recoveryOf(base.retraining) }),
    layers,
    phases: clock.phases,
    warnings: [
      ...inputs.warnings,
      ...quantizedAlready(original),
      ...(base.warnings ?? []),
      ...judgedByItself(inputs, settings),
      ...thinCalibration(findings),
      ...unseenLayers(findings.map(({ site }) => site)),
      ...warnings,
      ...(recovered ? recovered.warnings : []),
    ],
  };
  return {
    model: result,
    report: { ...report, verdict: verdictFor(report) },
    heldOut: inputs.reported,
    bytes: () => encodeToBytes(result),
    save: (path, saveOptions) => save(result, path, saveOptions),
  };
}

/** A faster form can take more bytes than the original: its weights then have to make up for them. */
const roomOf = ({ reformed, model }: Job, before: number): number | undefined =>
  reformed && modelByteLength(model) >= before ? before - 1 : undefined;

/** Says where a model has been through this before: what is stored in integers is no weight to compress. */
function quantizedAlready(model: Model): string[] {
  const share = quantizedShare(model);
  return share < 0.5
    ? []
    : [
        `The model is quantized already: ${Math.round(100 * share)}% of its constants are integers of 8 bits or fewer, which stay as they are. A smaller file takes the floats that it was made from.`,
      ];
}

/** Says when the calibration inputs are too few to know a layer by. */
function thinCalibration(findings: readonly LayerFindings[]): string[] {
  const thin = findings.filter(finding => finding.thin);
  if (thin.length === 0) return [];
  const example = thin[0]!.site.value.name;
  return [
    `Calibration inputs are few: ${thin.length} of ${findings.length} layers (${example}${thin.length > 1 ? ', …' : ''}) saw fewer vectors than they are wide, and may err more on other inputs than on these. Give more, or larger ones.`,
  ];
}

const timeRatio = (time: CompressReport['time']): number =>
  time ? time.afterMs / time.beforeMs : Number.NaN;

interface Chosen {
  readonly choice: Plan['choice'];
  readonly warnings: readonly string[];
  readonly front?: MeasuredFront;
}

/** The choice for every layer: by the rule alone where nothing else is asked for, else by measurement. */
async function choose(
  job: Job,
  findings: readonly LayerFindings[],
  limit: number | undefined,
  pruned: boolean,
): Promise<Chosen> {
  const { settings, inputs, options } = job;
  if (settings.quality.length === 0 && settings.maxSize === undefined && limit === undefined) {
    return { choice: new Map(findings.map(({ site, byRule }) => [site, byRule])), warnings: [] };
  }
  return withStudies(job, findings, async (studies, endToEnd) => {
    const evaluator = await Evaluator.create(job.original, inputs.confirmed, options);
    try {
      const front = settings.pareto ? await measureFront(job, studies, evaluator, { pruned }) : undefined;
      const found =
        front && !hasBudget(job.options)
          ? { plan: front.knee.plan, warnings: [] }
          : await search({ job, studies, endToEnd, evaluator, limit });
      return { choice: found.plan.choice, warnings: found.warnings, ...(front && { front }) };
    } finally {
      await evaluator.release();
    }
  });
}
