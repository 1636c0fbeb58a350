import { WhittleError } from '../../graph/errors.js';
import { singularValues, stableRank } from '../../linalg/index.js';
import type { Network } from '../../nn/index.js';
import type { LayerCost } from './cost.js';
import type { DenseLayer } from './low-rank.js';
import { type MatrixForm, matrixShape, toMatrix } from './matricize.js';
import { rankOfEnergy } from './spectral.js';

/**
 * How ranks are chosen; one of:
 * - `scale`: rank = scale · min(rows, cols), of a convolution scale · out·kh, rounded
 * - `rank`: the same everywhere
 * - `energy`: for each layer the least rank whose singular values hold this share of ‖W‖²_F
 * - `stableRank`: so many times the stable rank ‖W‖²_F / ‖W‖²₂ of each layer, rounded up
 * - `parameters`, `flops`, `bytes`: the largest common scale that keeps the whole network within a budget. Up to 1 it is
 *   a share of the present network, above that an amount. Bytes are those of all parameters in float32.
 */
export type RankRule =
  | { readonly scale: number }
  | { readonly rank: number }
  | { readonly energy: number }
  | { readonly stableRank: number }
  | BudgetRule;

export type BudgetRule =
  | { readonly parameters: number }
  | { readonly flops: number }
  | { readonly bytes: number };

/** A layer with all that its rank is chosen by. */
export interface Candidate {
  readonly layer: DenseLayer;
  readonly form: MatrixForm;
  readonly cost: LayerCost;
}

export const largestRank = ({ layer, form }: Candidate): number => {
  const { rows, cols } = matrixShape(layer, form);
  return Math.min(rows, cols);
};

/** What a scale of 1 stands for. */
const unitOf = (candidate: Candidate): number => {
  const { layer, form } = candidate;
  return form === 'spatial' ? matrixShape(layer, form).rows : largestRank(candidate);
};

/** The nearest multiple of `step` that the layer can have; its largest rank where even one step is more. */
const clamp = (rank: number, candidate: Candidate, step: number): number =>
  Math.min(largestRank(candidate), Math.max(1, Math.round(rank / step)) * step);

export const rankAtScale = (scale: number, candidate: Candidate, step: number): number =>
  clamp(scale * unitOf(candidate), candidate, step);

/** How much of a scale the rounding left out, in ranks; those with more are raised first. */
export const roundedAway = (scale: number, candidate: Candidate, step: number): number =>
  scale * unitOf(candidate) - rankAtScale(scale, candidate, step);

/** Ranks by a rule that looks at each layer alone. @throws WhittleError for numbers that make no sense */
export function ranksByRule(
  network: Network,
  candidates: readonly Candidate[],
  rule: Exclude<RankRule, BudgetRule>,
  step: number,
): number[] {
  const [[name, value]] = Object.entries(rule) as [[string, number]];
  const limit = name === 'scale' || name === 'energy' ? 1 : Number.POSITIVE_INFINITY;
  if (!(value > 0 && value <= limit) || (name === 'rank' && !Number.isInteger(value))) {
    throw new WhittleError(
      `${name} must be ${name === 'rank' ? 'a whole number' : 'a number'} above 0${limit === 1 ? ' and at most 1' : ''}, not ${value}`,
    );
  }
  return candidates.map(candidate => {
    if ('scale' in rule) return rankAtScale(rule.scale, candidate, step);
    if ('rank' in rule) return clamp(rule.rank, candidate, step);
    const { layer, form } = candidate;
    const up = (rank: number): number => clamp(Math.ceil(rank / step) * step, candidate, step);
    const spectrum = singularValues(toMatrix(layer, form, network.tensor(layer.weight.name)));
    if ('energy' in rule) return up(rankOfEnergy(spectrum, rule.energy));
    return up(rule.stableRank * stableRank(spectrum));
  });
}
