import { observe } from '../calibrate/observe.js';
import type { Model } from '../graph/model.js';
import type { Tensors } from '../runtime/index.js';
import { Layer } from './layer.js';
import type { Plan } from './plan.js';
import type { Scored } from './score.js';
import type { Site } from './sites.js';

/**
 * Fits the floats of each chosen candidate (scales, second factors) anew to the outputs of its layer on the calibration
 * inputs, in closed form. Bytes stay the same; what did not get better stays as it was.
 * @param distortion of a layer at an error, where it is known (`LayerStudy.sensitivity.predict`)
 */
export async function recoverLayers(
  model: Model,
  plan: Plan,
  samples: readonly Tensors[],
  { threads, signal }: { threads?: number | undefined; signal?: AbortSignal | undefined } = {},
  distortion?: (site: Site, error: number) => number,
): Promise<Plan> {
  const choice = new Map(plan.choice);
  const sites = [...choice].flatMap(([site, scored]) => (scored?.candidate.refit ? [site] : []));
  let total = plan.distortion;
  for await (const group of observe(model, sites, samples, { threads })) {
    for (const [site, observation] of group) {
      signal?.throwIfAborted();
      const before = choice.get(site)!;
      const after = refitted(new Layer(site, observation), before);
      if (after.error >= before.error) continue;
      choice.set(site, after);
      if (distortion) total += distortion(site, after.error) - distortion(site, before.error);
    }
  }
  return { ...plan, choice, distortion: total };
}

function refitted(layer: Layer, scored: Scored): Scored {
  const candidate = scored.candidate.refit?.(layer);
  return candidate ? { ...scored, candidate, error: layer.error(candidate.weight()) } : scored;
}
