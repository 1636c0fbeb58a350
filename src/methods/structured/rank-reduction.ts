import { WhittleError } from '../../graph/errors.js';
import { svd } from '../../linalg/index.js';
import { defineMethod } from '../entry.js';
import { fractionSetting, LAYER_SETTINGS, structuredMethod } from './method.js';
import type { LinearShape, Structure } from './structure.js';

export interface RankReductionOptions {
  /** Parameters left, as a fraction of the dense weight's. */
  readonly fraction: number;
}

/** int(f · in · out / (in + out)): the most whose two factors have no more than f of the dense parameters. */
export function rankFor({ inFeatures, outFeatures }: LinearShape, fraction: number): number {
  const rank = Math.floor((fraction * inFeatures * outFeatures) / (inFeatures + outFeatures));
  if (rank >= 1 && rank <= Math.min(inFeatures, outFeatures)) return rank;
  throw new WhittleError(`rank ${rank} does not fit a ${outFeatures} × ${inFeatures} weight`, {
    hint: rank < 1 ? 'Keep a larger fraction of the parameters' : 'Keep a smaller fraction of the parameters',
  });
}

/**
 * Two linear layers in a row, W = (down · up)ᵀ: down (in, r), up (r, out).
 * @throws WhittleError where the fraction leaves no rank
 */
export function rankReduction(shape: LinearShape, { fraction }: RankReductionOptions): Structure {
  const { inFeatures, outFeatures } = shape;
  const rank = rankFor(shape, fraction);
  return {
    inFeatures,
    outFeatures,
    factors: [
      { name: 'down', dims: [inFeatures, rank], variance: perWeight => perWeight },
      { name: 'up', dims: [rank, outFeatures], variance: () => 1 / rank },
    ],
    macs: rows => rows * rank * (inFeatures + outFeatures),
    apply: (scope, rows, [down, up]) => scope.op('MatMul', [scope.op('MatMul', [rows, down!]), up!]),
    fromDense(weight) {
      const { u, s, v } = svd(weight, { rank }); // u (out, r), v (in, r)
      const down = Float32Array.from(v.data, (x, i) => x * Math.sqrt(s[i % rank]!));
      const up = new Float32Array(rank * outFeatures);
      for (let k = 0; k < rank; k++) {
        for (let i = 0; i < outFeatures; i++)
          up[k * outFeatures + i] = u.data[i * rank + k]! * Math.sqrt(s[k]!);
      }
      return [down, up];
    },
  };
}

export const rankReductionMethod = defineMethod({
  name: 'rank-reduction',
  family: 'structured',
  summary: 'Two linear layers in a row instead of one, of a width that leaves a fraction of the parameters.',
  paper: {
    title: "Low-rank approximations to linear layers don't work",
    authors: 'catid',
    year: 2024,
    url: 'https://catid.io/posts/low_rank/',
  },
  settings: { ...LAYER_SETTINGS, fraction: fractionSetting() },
  create: values => structuredMethod('rank-reduction', values, shape => rankReduction(shape, values)),
});
