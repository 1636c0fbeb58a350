import { type Observation, observe } from '../calibrate/observe.js';
import type { Site } from '../calibrate/sites.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import type { Tensors } from '../runtime/index.js';
import { type Cache, Figures } from './cache.js';
import { captureInputs } from './capture.js';
import { Layer } from './layer.js';
import type { Method } from './method.js';
import type { Settings } from './options.js';
import type { PhaseClock } from './phases.js';
import { LayerProbe } from './probe.js';
import { chooseByRule } from './rule.js';
import { ByteScale, type Scored } from './score.js';
import { isThin, measurers, scoreLayer } from './score-layer.js';
import { StudyPool } from './study-pool.node.js';

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

interface StudyOptions {
  readonly methods: readonly Method[];
  readonly settings: Settings;
  /** The names that the user left of the methods. */
  readonly onlyMethods?: readonly string[] | undefined;
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
  const pool = hasBudget(settings)
    ? await StudyPool.open(model, sites, settings, options.onlyMethods)
    : undefined;
  const findings = new Map<Site, LayerFindings>();
  const study = async (group: ReadonlyMap<Site, Observation | (() => Observation)>): Promise<void> => {
    const runs =
      settings.rankSearch === 'forward'
        ? await captureInputs(model, [...group.keys()], samples, { threads })
        : undefined;
    const scored = clock.start('score', sites.length);
    const one = async (site: Site, observation: Observation | (() => Observation)): Promise<void> => {
      scored(findings.size, site.value.name);
      const layer = new Layer(site, observation);
      const probe = runs?.get(site)?.length
        ? new LayerProbe(site, model, runs.get(site)!, threads)
        : undefined;
      const alone = site.nested || site.mixed || cache?.knowsFigures('scores', site);
      const found = alone ? undefined : await pool?.score(site, layer.observation).catch(naming(site));
      findings.set(site, await studyLayer(layer, new ByteScale(site, model), probe, options, found));
      layer.rest();
      // Scoring is synchronous: let the progress be seen and an interrupt come in.
      await new Promise(resolve => setTimeout(resolve));
    };
    const waiting = [...group];
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await one(...next);
    };
    try {
      await Promise.all(Array.from({ length: pool?.workers ?? 1 }, lane));
    } catch (error) {
      waiting.length = 0;
      throw error;
    }
  };
  const reread = (site: Site) => () => cache!.observation(site);
  const known = cache ? sites.filter(site => cache.knows(site)) : [];
  const unknown = sites.filter(site => !known.includes(site));
  try {
    if (unknown.length > 0) {
      const observed = clock.start('observe', samples.length);
      const groups = observe(model, unknown, samples, { threads, onSample: done => observed(done) });
      for await (const group of groups) {
        for (const [site, observation] of group) if (!cache?.knows(site)) cache?.keep(site, observation);
        await study(cache ? new Map([...group.keys()].map(site => [site, reread(site)])) : group);
      }
    }
    if (known.length > 0) await study(new Map(known.map(site => [site, reread(site)])));
  } finally {
    await pool?.close();
  }
  return sites.map(site => findings.get(site)!);
}

async function studyLayer(
  layer: Layer,
  scale: ByteScale,
  probe: LayerProbe | undefined,
  { methods, settings, cache }: StudyOptions,
  found?: Readonly<Record<string, number>>,
): Promise<LayerFindings> {
  const { site } = layer;
  const { error } = settings;
  const figures = cache?.figures('scores', site) ?? new Figures();
  if (found) for (const [name, value] of Object.entries(found)) figures.set(name, value);
  const scoring = { methods, settings, figures, probe };
  const { before } = scale;
  try {
    const thin = isThin(layer, figures);
    if (hasBudget(settings)) {
      return { site, bytesBefore: before, thin, scored: await scoreLayer(layer, scale, scoring) };
    }
    const { bytesOf, measure } = measurers(layer, scale, scoring);
    const bounds = { before, bytesOf };
    const { chosen, tried } = await chooseByRule(
      layer,
      bounds,
      methods,
      error ?? Infinity,
      measure,
      probe !== undefined,
    );
    return { site, bytesBefore: before, thin, scored: tried, byRule: chosen };
  } catch (cause) {
    return naming(site)(cause);
  } finally {
    figures.save();
  }
}

/** Without a budget the rule for a single layer decides, as it is scored. */
const hasBudget = ({ quality, maxSize }: Settings): boolean => quality.length > 0 || maxSize !== undefined;

/** Throws an error again, with the layer where it is one of ours. */
const naming =
  (site: Site) =>
  (cause: unknown): never => {
    if (!(cause instanceof WhittleError)) throw cause;
    throw new WhittleError(cause.message, {
      node: site.uses[0]!.node.label,
      value: site.value.name,
      hint: `Leave it out with --exclude '${site.value.name}'`,
      cause,
    });
  };
