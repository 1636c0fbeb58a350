import { findSites, namesOf, type Site } from '../calibrate/sites.js';
import { cloneModel } from '../graph/clone.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { foldWeights } from '../graph/rewrite/index.js';
import { initLinalg } from '../linalg/index.js';
import { evaluate } from '../runtime/evaluate.js';
import { Cache } from './cache.js';
import { fastForm } from './fast-form.js';
import { type CompressInputs, readInputs } from './inputs.js';
import type { Method } from './method.js';
import { observeStaticRanges } from './methods/int8-static.js';
import { type CompressOptions, methodsOf, readOptions, type Settings, selects } from './options.js';
import { PhaseClock } from './phases.js';
import { raiseFor, raiseOpset } from './raise-opset.js';
import { refuseIdlePatterns, refuseNonFinite } from './refuse.js';
import { rewriteExactly } from './rewrite-exactly.js';
import { openStore } from './store.node.js';

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
