import { splitInputs } from '../data/index.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { cloneModel, removeDead } from '../graph/rewrite/index.js';
import { encodeToBytes, modelByteLength } from '../onnx/index.js';
import { compareSessions, createSession, type Tensors } from '../runtime/index.js';
import { captureInputs } from './capture.js';
import { chooseForSite, type Decision } from './choose.js';
import { METHODS } from './methods/index.js';
import { type CompressOptions, readOptions, selects } from './options.js';
import { LayerProbe } from './probe.js';
import type { CompressReport } from './report.js';
import { buildReport } from './build-report.js';
import { runScores } from './scores.js';
import { findSites, type Site } from './sites.js';
import { compareOutputs } from './verify.js';

export interface CompressResult {
  /** The compressed model; the given one where nothing made it smaller. */
  readonly model: Model;
  readonly report: CompressReport;
}

/**
 * Compresses a model: for each layer the smallest form that keeps its output error on calibration inputs within the
 * rule, then the whole verified in ONNX Runtime on inputs that calibration did not see. The given model is left as it
 * is.
 * @throws WhittleError for inputs that do not fit, NaN activations, a model that ONNX Runtime rejects
 */
export async function compress(model: Model, options: CompressOptions = {}): Promise<CompressResult> {
  const settings = readOptions(options);
  const { signal } = options;
  const clock = new PhaseClock(options);
  const inputs = await splitInputs(model, options, settings);

  const sites = findSites(model);
  const selected = sites.filter(site => selects([site.value.name, ...site.uses.map(u => u.node.name)], options));
  const phase = clock.start('observe', inputs.calibration.length);
  const captured = await captureInputs(model, selected, inputs.calibration, {
    threads: options.threads,
    onSample: done => {
      signal?.throwIfAborted();
      phase(done);
    },
  });

  const decisions = new Map<Site, Decision>();
  const step = clock.start('choose', selected.length);
  for (const [i, site] of selected.entries()) {
    signal?.throwIfAborted();
    step(i, site.value.name);
    const probe = new LayerProbe(site, model, captured.get(site) ?? [], options.threads);
    decisions.set(site, await chooseForSite(site, probe, METHODS[settings.method], settings));
    captured.delete(site);
  }
  step(selected.length);

  const candidate = applyDecisions(model, decisions);
  const before = modelByteLength(model);
  const unchanged = modelByteLength(candidate) >= before;
  const result = unchanged ? model : candidate;

  const report = await buildReport({ model, result, unchanged, sites, decisions, inputs, options, settings, clock });
  return { model: result, report };
}
