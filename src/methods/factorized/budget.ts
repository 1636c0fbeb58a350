import { WhittleError } from '../../graph/errors.js';
import type { Cost } from './cost.js';
import { type BudgetRule, type Candidate, largestRank, rankAtScale, roundedAway } from './ranks.js';

export interface Budgeted {
  readonly ranks: readonly number[];
  /** The largest common scale that fits; single ranks above it fill what remains. */
  readonly scale: number;
}

/** What the whole network costs before anything is replaced. */
export interface Totals extends Cost {
  /** Parameters that no gradient reaches, which count as bytes. */
  readonly buffers: number;
}

/** Cost of a layer at a rank; the dense layer's where factors would be no smaller and `onlySmaller` is set. */
export function costAt({ cost }: Candidate, rank: number, onlySmaller: boolean): Cost {
  const { dense, perRank } = cost;
  const parameters = rank * perRank.parameters;
  if (onlySmaller && parameters >= dense.parameters) return dense;
  return { parameters, flops: perRank.flops === undefined ? undefined : rank * perRank.flops };
}

/**
 * The largest common scale of ranks, found by bisection, at which the network stays within a budget. Equal layers all
 * step to the next rank at the same scale; what that leaves unused then goes to single layers, one step each, so that
 * the result misses the budget by less than one step of one layer.
 * @throws WhittleError where the budget cannot be met, or FLOPs are asked for and shapes are not known
 */
export function ranksWithin(
  candidates: readonly Candidate[],
  totals: Totals,
  rule: BudgetRule,
  { onlySmaller, step }: { readonly onlySmaller: boolean; readonly step: number },
): Budgeted {
  const unit = 'flops' in rule ? 'flops' : 'parameters';
  const [[name, given]] = Object.entries(rule) as [[string, number]];
  if (!(given > 0)) throw new WhittleError(`a budget of ${name} is a number above 0, not ${given}`);
  const whole = 'bytes' in rule ? 4 * (totals.parameters + totals.buffers) : totals[unit];
  const costs = (at: readonly number[]): (number | undefined)[] =>
    candidates.map((candidate, i) => costAt(candidate, at[i]!, onlySmaller)[unit]);
  if (whole === undefined || costs(candidates.map(() => 1)).includes(undefined)) {
    throw new WhittleError('the FLOPs of the network are not known', {
      hint: 'Give sizes for its symbolic dimensions, or a budget of parameters',
    });
  }
  const budget = given <= 1 ? given * whole : given;
  const scaleOf = 'bytes' in rule ? 4 : 1;
  const dense = candidates.reduce((sum, { cost }) => sum + cost.dense[unit]!, 0);
  const total = (at: readonly number[]): number =>
    whole + scaleOf * ((costs(at) as number[]).reduce((sum, cost) => sum + cost, 0) - dense);
  const at = (scale: number): number[] => candidates.map(candidate => rankAtScale(scale, candidate, step));

  const least = total(at(0));
  if (least > budget) {
    throw new WhittleError(
      `at rank 1 throughout the network still has ${Math.round(least)} ${name}, more than ${Math.round(budget)}`,
      {
        hint: 'Raise the budget, or let more layers be factorized',
      },
    );
  }
  let [low, high] = [0, 1];
  if (total(at(1)) <= budget) return { ranks: at(1), scale: 1 };
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (total(at(middle)) <= budget) low = middle;
    else high = middle;
  }
  const ranks = at(low);
  const order = candidates
    .map((_, i) => i)
    .sort((a, b) => roundedAway(low, candidates[b]!, step) - roundedAway(low, candidates[a]!, step));
  for (const i of order) {
    const before = ranks[i]!;
    ranks[i] = Math.min(before + step, largestRank(candidates[i]!));
    if (total(ranks) > budget) ranks[i] = before;
  }
  return { ranks, scale: low };
}
