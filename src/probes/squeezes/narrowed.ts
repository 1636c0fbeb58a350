import { acrossLayers } from '../../methods/sparse/keep.js';
import type { ProbedLayer, Squeeze } from '../squeeze.js';
import { SHARE_LEVELS, shareAt } from './shares.js';

/** Whole outputs (neurons, channels), those of the smallest root mean square of their weights first. */
export const narrowed: Squeeze = {
  name: 'narrowed',
  measures: 'share of the neurons or channels that is kept, those of the largest weights',
  levels: SHARE_LEVELS,
  at(layers, level) {
    const outputs = layers.reduce((sum, { rows }) => sum + rows, 0);
    const kept = acrossLayers(layers.map(rowNorms), Math.max(1, Math.round(shareAt(level) * outputs)));
    return {
      size: shareAt(level),
      weights: layers.map(({ weight, cols }, i) =>
        weight.map((value, j) => (kept[i]![Math.floor(j / cols)] ? value : 0)),
      ),
      removed: kept.map(flags => new Set([...flags.keys()].filter(r => !flags[r]))),
    };
  },
};

const rowNorms = ({ weight, rows, cols }: ProbedLayer): Float32Array =>
  Float32Array.from({ length: rows }, (_, r) =>
    Math.sqrt(weight.subarray(r * cols, (r + 1) * cols).reduce((sum, x) => sum + x * x, 0) / cols),
  );
