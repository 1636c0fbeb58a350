import { cloneModel } from '../graph/clone.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { initLinalg } from '../linalg/index.js';
import { modelByteLength } from '../onnx/index.js';
import { VERSION } from '../version.js';
import { parseSize } from './budget.js';
import { countParameters, describeLayer, describeModel } from './build-report.js';
import { EndToEnd } from './end-to-end.js';
import { readInputs } from './inputs.js';
import { METHODS } from './methods/index.js';
import { type CompressOptions, readOptions, selects } from './options.js';
import { PhaseClock } from './phases.js';
import type { LayerStudy } from './plan.js';
import type { CompressReport } from './report.js';
import { search } from './search.js';
import { probeSensitivity } from './sensitivity.js';
import { findSites } from './sites.js';
import { type LayerFindings, studyLayers } from './study.js';
import { verdictFor } from './verdict.js';
import { verify } from './verify.js';
import { writeChoices } from './write.js';

export interface CompressResult {
  /** The compressed model; the given one where nothing made it smaller. */
  readonly model: Model;
  readonly report: CompressReport;
}

/**
 * Compresses a model to a budget: studies every layer on calibration inputs, chooses the best mix of methods for the
 * budget (or, without one, the smallest that keeps each layer's error rule and the outputs' likeness), and verifies the
 * whole in ONNX Runtime on inputs that calibration did not see. The given model is not changed.
 * @throws WhittleError for options out of range, inputs that do not fit, NaN activations, and a model that ONNX
 *   Runtime rejects
 */
export async function compress(original: Model, options: CompressOptions = {}): Promise<CompressResult> {
  const settings = readOptions(options);
  const clock = new PhaseClock(options);
  await initLinalg();
  clock.start('inputs', 1);
  const model = cloneModel(original);
  inferShapes(model);
  const inputs = await readInputs(model, options, settings);
  const before = modelByteLength(original);
  const limit = settings.maxSize === undefined ? undefined : parseSize(settings.maxSize, before);

  const sites = findSites(model);
  const selected = sites.filter(site =>
    selects([site.value.name, ...site.uses.map(u => u.node.name)], options),
  );
  const findings = await studyLayers(model, selected, inputs.calibration, {
    methods: METHODS[settings.method],
    settings,
    threads: options.threads,
    clock,
  });
  const chosen = await choose(model, findings, inputs.probes, limit, options, clock);

  const candidate = writeChoices(model, chosen.choice);
  const after = modelByteLength(candidate);
  const unchanged = after >= before;
  const result = unchanged ? original : candidate;
  const verified = await verify(original, result, inputs, options, clock);
  const report: Omit<CompressReport, 'verdict'> = {
    version: 1,
    date: new Date().toISOString(),
    whittle: VERSION,
    model: describeModel(original),
    settings: { ...settings, quality: settings.quality.map(({ text }) => text) },
    unchanged,
    bytes: { before, after: unchanged ? before : after },
    parameters: { before: countParameters(original.graph), after: countParameters(result.graph) },
    calibration: inputs.about.calibration,
    ...verified,
    layers: sites.map(site =>
      describeLayer(
        site,
        findings.find(f => f.site === site),
        unchanged ? undefined : chosen.choice.get(site),
        settings.error,
      ),
    ),
    phases: clock.phases,
    warnings: [...inputs.warnings, ...chosen.warnings],
  };
  return { model: result, report: { ...report, verdict: verdictFor(report) } };
}

async function choose(
  model: Model,
  findings: readonly LayerFindings[],
  probes: Parameters<typeof EndToEnd.create>[2],
  limit: number | undefined,
  options: CompressOptions,
  clock: PhaseClock,
): Promise<Awaited<ReturnType<typeof search>>> {
  const settings = readOptions(options);
  if (settings.quality.length === 0 && limit === undefined) {
    return { choice: new Map(findings.map(({ site, byRule }) => [site, byRule])), warnings: [] };
  }
  const endToEnd = await EndToEnd.create(
    model,
    findings.map(({ site }) => site),
    probes,
    options.threads,
  );
  try {
    const studies = await probeAll(model, findings, endToEnd, clock);
    return await search({ model, studies, endToEnd, limit, settings, options, clock });
  } finally {
    await endToEnd.release();
  }
}

/** Layers of at least this share of the model are probed at more than one level. */
const LARGE = 0.004;

async function probeAll(
  model: Model,
  findings: readonly LayerFindings[],
  endToEnd: EndToEnd,
  clock: PhaseClock,
): Promise<LayerStudy[]> {
  const total = modelByteLength(model);
  const probed = clock.start('probe', findings.length);
  const studies: LayerStudy[] = [];
  for (const [i, { site, bytesBefore, scored }] of findings.entries()) {
    probed(i, site.value.name);
    const levels = bytesBefore >= LARGE * total ? 2 : 1;
    const sensitivity = await probeSensitivity(site, scored, endToEnd, levels);
    studies.push({ site, bytesBefore, scored, sensitivity });
  }
  return studies;
}
