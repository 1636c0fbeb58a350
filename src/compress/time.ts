import type { Model } from '../graph/model.js';
import type { Evaluator } from './evaluator.js';

/** Timing is noisy, processor time less so: a plan is taken where it is faster than asked for by this much. */
const MARGIN = { wall: 0.97, processor: 0.985 };

/** The longest time, as a share of the original's, at which the bound should hold when it is measured again. */
export const longestFor = (bound: number, { clock }: Pick<Evaluator, 'clock'>): number =>
  MARGIN[clock] * bound;

/** So near to the bound, as a share of it, one measurement is not enough. */
const NEAR = 0.08;

/**
 * A model's time against the original's: the longest of three measurements where one could be on either side. Of many plans
 * timed near the bound some come out short by chance, and a search would take those.
 */
export async function timeOf(
  model: Model,
  evaluator: Pick<Evaluator, 'timeRatio'>,
  bound: number,
): Promise<number> {
  const ratios = [await evaluator.timeRatio(model)];
  if (Math.abs(ratios[0]! / bound - 1) > NEAR) return ratios[0]!;
  while (ratios.length < 3) ratios.push(await evaluator.timeRatio(model));
  return Math.max(...ratios);
}
