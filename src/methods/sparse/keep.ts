import type { Parameter } from '../../nn/parameter.js';
import { Random } from '../../random/random.js';
import { choice } from '../../train/config/settings.js';
import { parameterSize } from '../../train/step/units.js';
import { layerCounts, type Spread } from './density.js';
import { MASK, type SparseMasks } from './masks.js';
import { largest, magnitudes } from './select.js';

/** Among which weights scores compete: all, or those of their layer, which has a share of its own. */
export type Scope = 'global' | Spread;

/** The setting for it. */
export const scope = (fallback: Scope) =>
  choice<Scope>(
    fallback,
    ['global', 'uniform', 'erk'],
    'how the kept weights are spread: by score over all layers, or by layer, uniform or Erdős–Rényi-Kernel',
  );

/**
 * Gives the layers masks that keep the `total` weights of the highest scores.
 * @param scores one array a layer
 */
export function keepHighest(
  masks: SparseMasks,
  scores: readonly Float32Array[],
  total: number,
  within: Scope,
): void {
  const chosen =
    within === 'global'
      ? acrossLayers(scores, total)
      : layerCounts(masks.layers, total, within).map((count, i) => largest(scores[i]!, count));
  masks.layers.forEach((layer, i) => masks.set(layer, chosen[i]!));
  masks.logDensity();
}

/** Keeps the largest weights. Weights that are gone are 0 and rank last. */
export function keepLargestWeights(masks: SparseMasks, total: number, within: Scope): void {
  const scores = masks.layers.map((layer: Parameter) => magnitudes(masks.weights(layer)));
  keepHighest(masks, scores, total, within);
}

/** Masks that keep the `total` highest scores, whichever layer they are in. */
export function acrossLayers(scores: readonly Float32Array[], total: number): readonly Float32Array[] {
  const all = new Float32Array(scores.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of scores) {
    all.set(part, offset);
    offset += part.length;
  }
  const chosen = largest(all, total);
  offset = 0;
  return scores.map(({ length }) => {
    offset += length;
    return chosen.slice(offset - length, offset);
  });
}

/** Random masks of `total` weights, spread over the layers; they depend on the seed and the layers' names alone. */
export function keepRandom(masks: SparseMasks, total: number, spread: Spread): void {
  const counts = layerCounts(masks.layers, total, spread);
  masks.layers.forEach((layer, i) => {
    const random = new Random(masks.run.seed, `${MASK}/${layer.name}`);
    masks.set(layer, largest(randomScores(random, parameterSize(layer)), counts[i]!));
  });
  masks.logDensity();
}

/** Scores whose order is random. */
export function randomScores(random: Random, length: number): Float32Array {
  const scores = new Float32Array(length);
  for (let i = 0; i < length; i++) scores[i] = random.uniform();
  return scores;
}
