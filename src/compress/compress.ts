import { cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import { modelByteLength } from '../onnx/index.js';
import { compareSessions, createSession, type SessionOptions } from '../runtime/index.js';
import { VERSION } from '../version.js';
import { countParameters, describeLayer, describeModel } from './build-report.js';
import { captureInputs } from './capture.js';
import { chooseForSite, type Decision } from './choose.js';
import { type CompressInputs, readInputs } from './inputs.js';
import { METHODS } from './methods/index.js';
import { type CompressOptions, readOptions, selects } from './options.js';
import { PhaseClock } from './phases.js';
import { LayerProbe } from './probe.js';
import type { CompressReport } from './report.js';
import { compareScores } from './scores.js';
import { findSites, type Site } from './sites.js';
import { verdictFor } from './verdict.js';
import { compareOutputs } from './verify.js';

export interface CompressResult {
  /** The compressed model; the given one where nothing made it smaller. */
  readonly model: Model;
  readonly report: CompressReport;
}

/**
 * Compresses a model: each layer takes the smallest form that keeps its output error on calibration inputs within the
 * rule, and the whole is verified in ONNX Runtime on inputs that calibration did not see. The given model is not
 * changed.
 * @throws WhittleError for options out of range, inputs that do not fit, NaN activations, and a model that ONNX
 *   Runtime rejects
 */
export async function compress(model: Model, options: CompressOptions = {}): Promise<CompressResult> {
  const settings = readOptions(options);
  const clock = new PhaseClock(options);
  clock.start('inputs', 1);
  const inputs = await readInputs(model, options, settings);
  const sites = findSites(model);
  const selected = sites.filter(site =>
    selects([site.value.name, ...site.uses.map(u => u.node.name)], options),
  );
  const decisions = await decide(model, selected, inputs, options, clock);

  const candidate = applyDecisions(model, decisions);
  const bytes = { before: modelByteLength(model), after: modelByteLength(candidate) };
  const unchanged = bytes.after >= bytes.before;
  const result = unchanged ? model : candidate;
  const verified = await verify(model, result, inputs, options, clock);
  const report: Omit<CompressReport, 'verdict'> = {
    version: 1,
    date: new Date().toISOString(),
    whittle: VERSION,
    model: describeModel(model),
    settings: { ...settings },
    unchanged,
    bytes: { before: bytes.before, after: unchanged ? bytes.before : bytes.after },
    parameters: { before: countParameters(model.graph), after: countParameters(result.graph) },
    calibration: inputs.about.calibration,
    ...verified,
    layers: sites.map(site =>
      describeLayer(site, unchanged ? undefined : decisions.get(site), settings.error),
    ),
    phases: clock.phases,
    warnings: inputs.warnings,
  };
  return { model: result, report: { ...report, verdict: verdictFor(report) } };
}

/** Chooses a form for every selected site. */
async function decide(
  model: Model,
  sites: readonly Site[],
  inputs: CompressInputs,
  options: CompressOptions,
  clock: PhaseClock,
): Promise<Map<Site, Decision>> {
  const settings = readOptions(options);
  const observed = clock.start('observe', inputs.calibration.length);
  const captured = await captureInputs(model, sites, inputs.calibration, {
    threads: options.threads,
    onSample: observed,
  });
  const decisions = new Map<Site, Decision>();
  const chose = clock.start('choose', sites.length);
  for (const [i, site] of sites.entries()) {
    chose(i, site.value.name);
    const probe = new LayerProbe(site, model, captured.get(site) ?? [], options.threads);
    decisions.set(site, await chooseForSite(site, probe, METHODS[settings.method], settings));
    captured.delete(site);
  }
  return decisions;
}

/** A copy of the model with every choice written into it. */
function applyDecisions(model: Model, decisions: ReadonlyMap<Site, Decision>): Model {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  const nodeOf = (node: Node) => values.get(node.output)!.producer!;
  for (const { site, chosen } of decisions.values()) {
    chosen?.candidate.apply({
      graph: nodeOf(site.uses[0]!.node).graph!,
      value: values.get(site.value)!,
      uses: site.uses.map(({ node, index }) => ({ node: nodeOf(node), index })),
      opset: model.opset,
    });
  }
  removeDead(copy.graph);
  // Before IR version 4 every initializer had to be an input as well, which a caller could override.
  copy.irVersion = Math.max(copy.irVersion, 4);
  return copy;
}

/** Runs both models on the held-out inputs. */
async function verify(
  original: Model,
  compressed: Model,
  inputs: CompressInputs,
  options: CompressOptions,
  clock: PhaseClock,
): Promise<Pick<CompressReport, 'verification' | 'scores' | 'worst' | 'time'>> {
  const sessionOptions: SessionOptions = {
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.provider !== undefined && { provider: options.provider }),
  };
  const before = await createSession(original, sessionOptions);
  const after = await createSession(compressed, sessionOptions);
  try {
    const onSample = clock.start('verify', inputs.heldOut.length);
    const outputs = await compareOutputs(before, after, inputs.heldOut, onSample);
    let scored: Pick<CompressReport, 'scores' | 'worst'> = { scores: [], worst: [] };
    if (options.evaluate) {
      const onProgress = clock.start('evaluate', 1);
      scored = await compareScores(options.evaluate, before, after, {
        onProgress: done => onProgress(done),
        ...(options.signal && { signal: options.signal }),
      });
    }
    clock.start('time', 1);
    const { a, b } = await compareSessions(before, after, inputs.heldOut[0]!);
    return {
      verification: { ...inputs.about.heldOut, outputs },
      ...scored,
      time: { beforeMs: a.medianMs, afterMs: b.medianMs, runs: a.runs, provider: before.provider },
    };
  } finally {
    await before.release();
    await after.release();
  }
}
