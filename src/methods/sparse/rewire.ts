import { choice, integer } from '../../train/config/settings.js';
import type { Spread } from './density.js';
import { SPARSITY, type Sparsity } from './layers.js';
import { either, gather, largestMagnitudes, markMagnitudes } from './select.js';

/** Settings of methods that are sparse from the start and move their weights around at intervals. */
export const REWIRING = {
  ...SPARSITY,
  spread: choice<Spread>(
    'erk',
    ['uniform', 'erk'],
    'density by layer at the start: the same, or Erdős–Rényi-Kernel',
  ),
  interval: integer(100, {
    min: 1,
    description: 'updates between changes of the masks; thousands explore more reliably (ITOP)',
  }),
} as const;

export interface Rewiring extends Sparsity {
  readonly spread: Spread;
  readonly interval: number;
}

/** The mask without the `dropped` weights of least magnitude. */
export function dropSmallest(mask: Float32Array, weights: Float32Array, dropped: number): Float32Array {
  const { values, places } = gather(weights, mask);
  const stays = largestMagnitudes(values, values.length - dropped);
  const kept = new Float32Array(mask.length);
  for (let i = 0; i < places.length; i++) kept[places[i]!] = stays[i]!;
  return kept;
}

/**
 * The mask with `grown` more weights: those whose score is furthest from 0 among the absent.
 * @param blocked places that stay absent
 */
export function grow(
  mask: Float32Array,
  scores: Float32Array,
  grown: number,
  blocked?: Float32Array,
): Float32Array {
  const next = mask.slice();
  const taken = blocked ? either(mask, blocked) : mask;
  markMagnitudes(next, scores, grown, taken);
  return next;
}

/** Half a cosine from `first` at the start to 0 at the end of `span`. */
export const cosineFraction = (first: number, time: number, span: number): number =>
  (first / 2) * (1 + Math.cos((Math.PI * Math.min(time, span)) / span));
