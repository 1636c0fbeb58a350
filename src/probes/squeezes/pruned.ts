import { acrossLayers } from '../../methods/sparse/keep.js';
import type { Squeeze } from '../squeeze.js';
import { SHARE_LEVELS, shareAt } from './shares.js';

/** Single weights, the smallest of all layers first. */
export const pruned: Squeeze = {
  name: 'pruned',
  measures: 'share of the weights that is kept, the largest of all layers',
  levels: SHARE_LEVELS,
  at(layers, level) {
    const all = layers.map(({ weight }) => weight);
    const size = all.reduce((sum, { length }) => sum + length, 0);
    const kept = acrossLayers(
      all.map(weight => weight.map(Math.abs)),
      Math.max(1, Math.round(shareAt(level) * size)),
    );
    return {
      size: shareAt(level),
      weights: all.map((weight, i) => weight.map((value, j) => (kept[i]![j] ? value : 0))),
    };
  },
};
