import { findSites, isLarge, namesOf, type Site } from '../calibrate/sites.js';
import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import {
  foldAffine,
  foldWeights,
  fuseHardSigmoid,
  mergeConstants,
  removeDead,
} from '../graph/rewrite/index.js';
import { initLinalg } from '../linalg/index.js';
import { modelByteLength } from '../onnx/index.js';
import { upgradeOpset } from '../onnx/opset/upgrade.js';
import { evaluate } from '../runtime/evaluate.js';
import { Cache } from './cache.js';
import { EndToEnd } from './end-to-end.js';
import { fastForm } from './fast-form.js';
import { type CompressInputs, readInputs } from './inputs.js';
import { measureForms } from './measure-forms.js';
import type { Method } from './method.js';
import { observeStaticRanges } from './methods/int8-static.js';
import { type CompressOptions, methodsOf, readOptions, type Settings, selects } from './options.js';
import { PhaseClock } from './phases.js';
import { refuseIdlePatterns, refuseNonFinite } from './refuse.js';
import type { LayerStudy } from './search/plan.js';
import { probeSensitivity } from './sensitivity.js';
import { openStore } from './store.node.js';
import { type LayerFindings, studyLayers } from './study.js';

/** A model opened for compression: what every job on it starts from. */
export interface Job {
  readonly options: CompressOptions;
  readonly settings: Settings;
  /** What is tried for each layer. */
  readonly methods: readonly Method[];
  readonly clock: PhaseClock;
  readonly original: Model;
  /** A copy with shapes inferred, which may be read but not changed. */
  readonly model: Model;
  /** Whether the copy is in another form than the original, because that is faster. */
  readonly reformed: boolean;
  readonly inputs: CompressInputs;
  /** Every site of the model, and those that the user selected. */
  readonly sites: readonly Site[];
  readonly selected: readonly Site[];
  /** Where finished work is found and kept. */
  readonly cache?: Cache;
}

/** The operator set with which products of integers came. */
const INTEGER_PRODUCTS = 10;

/** The operator set with which a tensor may have a scale for each channel. */
const PER_CHANNEL_SCALES = 13;

/** Raises the operator set where every node has an equivalent; otherwise newer operators are not used. */
function raiseOpset(model: Model, target: number): void {
  try {
    if (model.opset < target) upgradeOpset(model, target);
  } catch (error) {
    if (!(error instanceof WhittleError)) throw error;
  }
}

/**
 * Raises the operator set to what the methods write.
 * @throws WhittleError where a node has no equivalent
 */
function raiseFor(model: Model, methods: readonly Method[]): void {
  for (const { name, opset } of methods) {
    if (opset === undefined || model.opset >= opset) continue;
    const from = model.opset;
    try {
      upgradeOpset(model, opset);
    } catch (cause) {
      if (!(cause instanceof WhittleError)) throw cause;
      throw new WhittleError(
        `"${name}" writes operators of set ${opset}, and this model of set ${from} cannot be raised to it`,
        {
          ...cause.place,
          hint: `Export it with operator set ${opset} or newer, or leave the method out`,
          cause,
        },
      );
    }
  }
}

/**
 * Rewrites that change nothing but rounding, and let ONNX Runtime fuse more: fewer bytes and passes before any weight is
 * touched.
 */
export function rewriteExactly(model: Model): void {
  fuseHardSigmoid(model.graph);
  foldAffine(model.graph);
  mergeConstants(model.graph);
  removeDead(model.graph);
}

/**
 * Reads the options and the inputs, and finds the layers.
 * @param base what is compressed, where it is not the original itself but a pruned version of it
 */
export async function openJob(
  original: Model,
  options: CompressOptions,
  base: Model = original,
): Promise<Job> {
  const settings = readOptions(options);
  const clock = new PhaseClock(options);
  await initLinalg();
  clock.start('inputs', 1);
  const exact = cloneModel(base);
  if (settings.goal === 'speed') {
    raiseOpset(exact, PER_CHANNEL_SCALES);
    raiseOpset(exact, INTEGER_PRODUCTS);
  }
  raiseFor(exact, methodsOf(settings, options.onlyMethods));
  // What is made of constants when the model is loaded hides the weights that it is made of.
  await foldWeights(exact, async part => new Map(Object.entries(await evaluate(part))));
  rewriteExactly(exact);
  inferShapes(exact);
  if (base === original) refuseIdlePatterns(exact, findSites(exact), options);
  const inputs = await readInputs(exact, options, settings);
  const form = settings.goal === 'speed' ? await fastForm(exact, inputs.heldOut[0]!, options) : undefined;
  const model = form?.(exact) ?? exact;
  const reformed = model !== exact;
  const sites = findSites(model);
  const selected = sites.filter(site => selects(namesOf(site), options));
  refuseNonFinite(model, selected);
  const ranges =
    settings.goal === 'speed' && model.opset >= INTEGER_PRODUCTS
      ? await observeStaticRanges(model, selected, inputs.calibration, { threads: options.threads })
      : undefined;
  const methods = methodsOf(settings, options.onlyMethods, ranges);
  const job = { options, settings, methods, clock, original, model, reformed, inputs, sites, selected };
  if (options.cache === undefined) return job;
  const limit = options.cacheLimit === undefined ? {} : { limit: options.cacheLimit };
  const store = typeof options.cache === 'string' ? openStore(options.cache, limit) : options.cache;
  // In another form layers of the same names read other vectors.
  const studied = reformed ? model : base;
  return { ...job, cache: await Cache.open(store, studied, inputs.calibration) };
}

/** Scores what the methods make of each selected layer. */
export const study = ({
  model,
  selected,
  inputs,
  settings,
  methods,
  options,
  clock,
  cache,
}: Job): Promise<LayerFindings[]> =>
  studyLayers(model, selected, inputs.calibration, {
    methods,
    settings,
    onlyMethods: options.onlyMethods,
    threads: options.threads,
    clock,
    cache,
  });

/** Layers of at least this share of the model are probed at more than one level, unless the model is large. */
const LARGE = 0.004;

/** Measures what an error in each layer does to the outputs, then hands on what is known of the layers. */
export async function withStudies<T>(
  job: Job,
  findings: readonly LayerFindings[],
  use: (studies: readonly LayerStudy[], endToEnd: EndToEnd) => Promise<T>,
): Promise<T> {
  const { model, inputs, options, clock } = job;
  const sites = findings.map(({ site }) => site);
  const endToEnd = await EndToEnd.create(model, sites, inputs.probes, options.threads);
  try {
    const total = modelByteLength(model);
    const probed = clock.start('probe', findings.length);
    const cache = await job.cache?.with(inputs.probes);
    const studies: LayerStudy[] = [];
    for (const [i, { site, bytesBefore, scored }] of findings.entries()) {
      probed(i, site.value.name);
      const levels = bytesBefore >= LARGE * total && !isLarge(sites) ? 2 : 1;
      const sensitivity = await probeSensitivity(
        site,
        scored,
        endToEnd,
        levels,
        cache?.figures('probes', site),
      );
      studies.push({ site, bytesBefore, scored, sensitivity });
    }
    const refined = job.settings.goal === 'size' ? studies : await measureForms(job, studies);
    return await use(refined, endToEnd);
  } finally {
    await endToEnd.release();
  }
}
