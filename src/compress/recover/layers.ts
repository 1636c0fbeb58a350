import { type Observation, observe } from '../../calibrate/observe.js';
import type { Site } from '../../calibrate/sites.js';
import type { Model } from '../../graph/model.js';
import type { Tensors } from '../../runtime/index.js';
import type { Cache } from '../cache.js';
import { Layer } from '../layer.js';
import type { Scored } from '../score.js';
import type { Plan } from '../search/plan.js';

export interface RecoverOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where observations may lie already. */
  readonly cache?: Cache | undefined;
}

/**
 * Fits the floats of each chosen candidate (scales, second factors) anew to the outputs of its layer on the calibration
 * inputs, in closed form. Bytes stay the same; what did not get better stays as it was.
 * @param distortion of a layer at an error, where it is known (`LayerStudy.sensitivity.predict`)
 */
export async function recoverLayers(
  model: Model,
  plan: Plan,
  samples: readonly Tensors[],
  { threads, signal, cache }: RecoverOptions = {},
  distortion?: (site: Site, error: number) => number,
): Promise<Plan> {
  const choice = new Map(plan.choice);
  const sites = [...choice].flatMap(([site, scored]) => (scored?.candidate.refit ? [site] : []));
  let total = plan.distortion;
  const refit = async (site: Site, observation: Observation): Promise<void> => {
    signal?.throwIfAborted();
    const before = choice.get(site)!;
    const after = refitted(new Layer(site, observation), before);
    // Fitting is synchronous: let an interrupt come in.
    await new Promise(resolve => setTimeout(resolve));
    if (!(after.error < before.error)) return;
    choice.set(site, after);
    if (distortion) total += distortion(site, after.error) - distortion(site, before.error);
  };
  const known = sites.filter(site => cache?.knows(site));
  for (const site of known) await refit(site, cache!.observation(site));
  const unknown = sites.filter(site => !known.includes(site));
  for await (const group of observe(model, unknown, samples, { threads })) {
    for (const [site, observation] of group) await refit(site, observation);
  }
  return { ...plan, choice, distortion: total };
}

function refitted(layer: Layer, scored: Scored): Scored {
  const candidate = scored.candidate.refit?.(layer);
  return candidate ? { ...scored, candidate, error: layer.error(candidate.weight()) } : scored;
}
