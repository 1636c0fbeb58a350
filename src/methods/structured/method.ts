import { WhittleError } from '../../graph/errors.js';
import { choice, number, text, type ValuesOf } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { LAYER_WORDS, selectLinearLayers } from '../select-layers.js';
import { type LinearShape, parameterCount, replaceLinear, type Structure } from './structure.js';

/** What every structured layer is asked. */
export const LAYER_SETTINGS = {
  layers: text('ffn', `which layers: ${LAYER_WORDS.join(', ')}, or paths with *, joined by +`),
  start: choice('variance', ['variance', 'dense'], 'random factors, or those nearest to the present weight'),
};

/** Parameters left; the smaller, the fewer. */
export const fractionSetting = () =>
  number(0.5, {
    min: 1e-6,
    max: 1,
    description: 'parameters left in a layer, as a fraction of the dense ones',
  });

/** Replaces the chosen linear layers by structured ones before training starts. */
export function structuredMethod(
  name: string,
  { layers, start }: ValuesOf<typeof LAYER_SETTINGS>,
  structureOf: (shape: LinearShape) => Structure,
): TrainingMethod {
  return {
    name,
    layerClaim: {
      of: network => selectLinearLayers(network, layers).map(({ path }) => path),
      accepts: ['dense'],
      gives: 'factors',
    },
    prepare(network, sizes) {
      for (const { path } of selectLinearLayers(network, layers)) {
        replaceLinear(network, path, shape => smaller(path, shape, structureOf), start, sizes);
      }
    },
  };
}

/** The structure for a layer. @throws WhittleError where it does not fit, or is not smaller than the dense weight */
function smaller(
  path: string,
  shape: LinearShape,
  structureOf: (shape: LinearShape) => Structure,
): Structure {
  let structure: Structure;
  try {
    structure = structureOf(shape);
  } catch (cause) {
    if (!(cause instanceof WhittleError)) throw cause;
    throw new WhittleError(`layer ${path}: ${cause.message}`, { cause });
  }
  const [count, dense] = [parameterCount(structure), shape.inFeatures * shape.outFeatures];
  if (count < dense) return structure;
  throw new WhittleError(`layer ${path}: the structure has ${count} parameters, the dense weight ${dense}`, {
    hint: 'Keep a smaller fraction, or leave this layer out of `layers`',
  });
}
