import { type Observation, observe } from '../calibrate/observe.js';
import type { Site } from '../calibrate/sites.js';
import { captureInputs } from './capture.js';
import type { Job } from './job.js';
import { Layer } from './layer.js';
import type { Candidate } from './method.js';
import { LayerProbe } from './probe.js';
import { ByteScale } from './score.js';

/** The error of a candidate: by the closed form, or by running its layer. */
export type Measure = (candidate: Candidate) => number | Promise<number>;

/** Observes the layers of a job and visits each with its statistics, group by group as memory allows; what a cache knows is read. */
export async function visitLayers(
  { model, selected, inputs, options, settings, clock, cache }: Job,
  visit: (layer: Layer, scale: ByteScale, measure: Measure) => void | Promise<void>,
): Promise<void> {
  const { threads } = options;
  let done = 0;
  const visitGroup = async (group: ReadonlyMap<Site, Observation | (() => Observation)>): Promise<void> => {
    const captured =
      settings.rankSearch === 'forward'
        ? await captureInputs(model, [...group.keys()], inputs.calibration, { threads })
        : undefined;
    const visited = clock.start('choose', selected.length);
    for (const [site, observation] of group) {
      visited(done++, site.value.name);
      const layer = new Layer(site, observation);
      const runs = captured?.get(site);
      const probe = runs && runs.length > 0 ? new LayerProbe(site, model, runs, threads) : undefined;
      await visit(layer, new ByteScale(site, model), candidate =>
        probe ? probe.error(candidate) : layer.errorOf(candidate),
      );
      // The visit may be synchronous: let the progress be seen and an interrupt come in.
      await new Promise(resolve => setTimeout(resolve));
    }
  };
  const reread = (site: Site) => () => cache!.observation(site);
  const known = cache ? selected.filter(site => cache.knows(site)) : [];
  const unknown = selected.filter(site => !known.includes(site));
  if (unknown.length > 0) {
    const observed = clock.start('observe', inputs.calibration.length);
    const groups = observe(model, unknown, inputs.calibration, { threads, onSample: n => observed(n) });
    for await (const group of groups) {
      for (const [site, observation] of group) if (!cache?.knows(site)) cache?.keep(site, observation);
      await visitGroup(group);
    }
  }
  for (const site of known) await visitGroup(new Map([[site, reread(site)]]));
}
