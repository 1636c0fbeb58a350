import type { Value } from '../../graph/value.js';
import type { ConvLayer, LinearLayer } from '../../nn/index.js';
import type { TrainingMethod } from '../../train/method.js';
import type { StepContext } from '../../train/step/context.js';
import { type PenaltyOptions, penalizedLayers, penaltyClaim } from './penalized.js';

/**
 * A penalty with a corner at zero, where a gradient would only make weights small: after each step of the optimizer the
 * weights go through its proximal map, argmin ½‖x − w‖² + ηλ·penalty(x), with η the learning rate, and arrive at zeros
 * that are exact. Parikh & Boyd, Proximal algorithms, 2014, section 4.2. With momentum, or steps that differ from weight
 * to weight as Adam's do, the map is the same and the proof is not.
 * @param claim what no second method may decide
 * @param proximal the map; `threshold` is ηλ, a scalar
 */
export function proximalMethod(
  { name, claim }: { readonly name: string; readonly claim: string },
  { strength, layers }: PenaltyOptions,
  proximal: (context: StepContext, weight: Value, layer: LinearLayer | ConvLayer, threshold: Value) => Value,
): TrainingMethod {
  let chosen: ReadonlyMap<string, LinearLayer | ConvLayer> = new Map();
  return {
    name,
    claims: [claim],
    layerClaim: penaltyClaim(layers),
    prepare(network) {
      chosen = penalizedLayers(network, layers);
    },
    separates: parameter => chosen.has(parameter.name),
    updated(context, unit, next) {
      const layer = unit.parameters.length === 1 ? chosen.get(unit.name) : undefined;
      if (!layer) return next;
      const threshold = context.scalar(`${name}_threshold`, ({ learningRate }) => strength * learningRate);
      return proximal(context, next, layer, threshold);
    },
  };
}
