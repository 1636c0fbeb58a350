import { type Observation, observe } from '../calibrate/observe.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import type { Tensors } from '../runtime/index.js';
import { type Cache, candidateKey, Figures } from './cache.js';
import { captureInputs } from './capture.js';
import { Layer } from './layer.js';
import type { Candidate, Method } from './method.js';
import type { Settings } from './options.js';
import type { PhaseClock } from './phases.js';
import { LayerProbe } from './probe.js';
import { chooseByRule } from './rule.js';
import { ByteScale, type Scored } from './score.js';
import type { Site } from './sites.js';

/** What is known of one layer: its size, and what candidates would make of it. */
export interface LayerFindings {
  readonly site: Site;
  readonly bytesBefore: number;
  /** Calibration saw fewer inputs than the layer is wide: errors on other inputs can be larger than those found. */
  readonly thin: boolean;
  readonly scored: readonly Scored[];
  /** What the error rule alone would take; only looked for without a budget. */
  readonly byRule?: Scored | undefined;
}

/** A layer that loses so much of its output helps no model. */
const HOPELESS = 0.5;

interface StudyOptions {
  readonly methods: readonly Method[];
  readonly settings: Settings;
  readonly threads: number | undefined;
  readonly clock: PhaseClock;
  /** Where finished work is found and kept. */
  readonly cache?: Cache | undefined;
}

/**
 * Observes every site's inputs and scores the candidates of all methods, group of sites by group, so that second
 * moments are in memory for one group at a time. With a cache, what is there is not computed again.
 * @returns findings in the order of the sites
 */
export async function studyLayers(
  model: Model,
  sites: readonly Site[],
  samples: readonly Tensors[],
  options: StudyOptions,
): Promise<LayerFindings[]> {
  const { threads, clock, settings, cache } = options;
  const findings = new Map<Site, LayerFindings>();
  const study = async (group: ReadonlyMap<Site, Observation | (() => Observation)>): Promise<void> => {
    const runs =
      settings.rankSearch === 'forward'
        ? await captureInputs(model, [...group.keys()], samples, { threads })
        : undefined;
    const scored = clock.start('score', sites.length);
    for (const [site, observation] of group) {
      scored(findings.size, site.value.name);
      const layer = new Layer(site, observation);
      const probe = runs?.get(site)?.length
        ? new LayerProbe(site, model, runs.get(site)!, threads)
        : undefined;
      findings.set(site, await studyLayer(layer, new ByteScale(site, model), probe, options));
      if (typeof observation === 'function') layer.rest();
      // Scoring is synchronous: let the progress be seen and an interrupt come in.
      await new Promise(resolve => setTimeout(resolve));
    }
  };
  const reread = (site: Site) => () => cache!.observation(site);
  const known = cache ? sites.filter(site => cache.knows(site)) : [];
  const unknown = sites.filter(site => !known.includes(site));
  if (unknown.length > 0) {
    const observed = clock.start('observe', samples.length);
    const groups = observe(model, unknown, samples, { threads, onSample: done => observed(done) });
    for await (const group of groups) {
      for (const [site, observation] of group) if (!cache?.knows(site)) cache?.keep(site, observation);
      await study(cache ? new Map([...group.keys()].map(site => [site, reread(site)])) : group);
    }
  }
  if (known.length > 0) await study(new Map(known.map(site => [site, reread(site)])));
  return sites.map(site => findings.get(site)!);
}

async function studyLayer(
  layer: Layer,
  scale: ByteScale,
  probe: LayerProbe | undefined,
  { methods, settings, cache }: StudyOptions,
): Promise<LayerFindings> {
  const { site } = layer;
  const { error } = settings;
  const figures = cache?.figures('scores', site) ?? new Figures();
  const isThin = ({ moment }: Layer) => moment !== undefined && moment.count < moment.width;
  const thin = figures.once('thin', () => Number(isThin(layer))) === 1;
  const bytesOf = (candidate: Candidate): number =>
    figures.once(`bytes ${candidateKey(candidate)}`, () => scale.bytesOf(candidate));
  const measure = (candidate: Candidate): number | Promise<number> => {
    const key = `${probe ? 'forward' : 'closed'} ${candidateKey(candidate)}`;
    return figures.get(key) ?? figures.keep(key, probe?.error(candidate) ?? layer.error(candidate.weight()));
  };
  try {
    if (settings.quality.length === 0 && settings.maxSize === undefined) {
      const { chosen, tried } = await chooseByRule(
        layer,
        { before: scale.before, bytesOf },
        methods,
        error ?? Infinity,
        measure,
        probe !== undefined,
      );
      return { site, bytesBefore: scale.before, thin, scored: tried, byRule: chosen };
    }
    const scored: Scored[] = [];
    for (const method of methods) {
      for (const candidate of method.propose(layer)) {
        const least = (): number => candidate.leastError?.() ?? 0;
        if (figures.once(`least ${candidateKey(candidate)}`, least) > HOPELESS) continue;
        const result = { candidate, bytes: bytesOf(candidate), error: await measure(candidate) };
        if (result.bytes < scale.before && result.error <= (error ?? Infinity)) scored.push(result);
      }
    }
    return { site, bytesBefore: scale.before, thin, scored };
  } catch (cause) {
    if (!(cause instanceof WhittleError)) throw cause;
    throw new WhittleError(cause.message, {
      node: site.uses[0]!.node.label,
      value: site.value.name,
      hint: `Leave it out with --exclude '${site.value.name}'`,
      cause,
    });
  } finally {
    figures.save();
  }
}
