import { modelByteLength } from '../../onnx/index.js';
import { writeChoices } from '../write.js';
import type { SearchInput, SearchResult } from './input.js';
import { fastWithin, isInTime, withinLatency } from './latency.js';
import { type Plan, type Planner, plannersOf } from './plan.js';
import { keeps, smallestHolding } from './quality.js';

/**
 * Finds the plan that meets the budget: under a size limit the best that fits; under quality bounds alone the smallest
 * whose measured quality holds. Where the budget cannot be met it gives the nearest plan that can be written, and says
 * what could be had.
 */
export async function search(input: SearchInput): Promise<SearchResult> {
  const { limit, job } = input;
  const bounds = job.settings.quality;
  // A limit in bytes is met by counting bytes, whatever the goal.
  const studies = limit === undefined ? input.studies : input.studies.map(({ times: _, ...rest }) => rest);
  const planners = plannersOf(studies).map(({ planner }) => planner);
  if (limit !== undefined && job.settings.goal === 'speed') {
    const best = job.settings.maxLatency === undefined ? undefined : await bestWithin(planners, input, limit);
    if (best && (await isInTime(best, input)) && (await keeps(best, bounds, input))) {
      return { plan: best, warnings: [] };
    }
    const plan = await fastWithin(input, limit);
    if (plan) return { plan, warnings: [] };
  }
  const texts = bounds.map(({ text }) => text).join(', ');
  if (job.settings.maxLatency !== undefined) return withinLatency(planners[0]!, input);
  if (limit === undefined) {
    const plan = await smallestHolding(planners, input);
    if (plan) return { plan, warnings: [] };
    return {
      plan: planners[0]!.front().at(-1)!,
      warnings: [`The original itself does not hold ${texts}: its weights are left as they are.`],
    };
  }
  const size = (plan: Plan) => modelByteLength(writeChoices(job.model, plan.choice)).toLocaleString('en');
  const plan = await bestWithin(planners, input, limit);
  if (!plan) {
    const smallest = planners[0]!.front()[0]!;
    return {
      plan: smallest,
      warnings: [
        `The methods at hand cannot reach ${limit.toLocaleString('en')} bytes: their smallest file takes ${size(smallest)}.`,
      ],
    };
  }
  if (bounds.length === 0 || (await keeps(plan, bounds, input))) return { plan, warnings: [] };
  const larger = await smallestHolding(planners, input);
  return {
    plan,
    warnings: [
      larger
        ? `The best file of at most ${limit.toLocaleString('en')} bytes does not hold ${texts}: that takes ${size(larger)} bytes.`
        : `The original itself does not hold ${texts}.`,
    ],
  };
}

/**
 * Of the plans that fit into a size, one a planner, the one whose file is most like the original on the held-out
 * inputs: with few calibration inputs, what a method learned from them may not hold on others.
 */
async function bestWithin(
  planners: readonly Planner[],
  input: SearchInput,
  limit: number,
): Promise<Plan | undefined> {
  const plans: Plan[] = [];
  for (const planner of planners) {
    const plan = fitToSize(planner, input, limit);
    if (plan && !plans.some(other => choosesAlike(plan, other))) plans.push(plan);
  }
  if (plans.length < 2) return plans[0];
  const compared = input.job.clock.start('search', plans.length);
  let best: { plan: Plan; error: number } | undefined;
  for (const [i, plan] of plans.entries()) {
    compared(i);
    const outputs = await input.evaluator.outputs(writeChoices(input.job.model, plan.choice));
    const error = Math.max(0, ...outputs.map(({ relativeError }) => relativeError));
    if (!best || error < best.error || Number.isNaN(best.error)) best = { plan, error };
  }
  return best?.plan;
}

const choosesAlike = (a: Plan, b: Plan): boolean =>
  [...a.choice].every(([site, scored]) => b.choice.get(site) === scored);

/** Room that is left in a file and not worth another try, as a share of the limit. */
const SLACK = 0.002;
/** Corrections of what layers take together: they share constants, so that the file is smaller than their sum. */
const CORRECTIONS = 6;

/** The best plan whose written file fits: what lies around the layers is measured, not assumed. */
function fitToSize(planner: Planner, { job, studies }: SearchInput, limit: number): Plan | undefined {
  const { model } = job;
  let room =
    limit - (modelByteLength(model) - studies.reduce((sum, { bytesBefore }) => sum + bytesBefore, 0));
  let best: Plan | undefined;
  for (let i = 0; i < CORRECTIONS || !best; i++) {
    const plan = planner.within(room);
    if (!plan) return best;
    const left = limit - modelByteLength(writeChoices(model, plan.choice));
    if (left >= 0 && (!best || plan.distortion <= best.distortion)) best = plan;
    if (left >= 0 && left <= SLACK * limit) break;
    // Beyond the limit the next plan must be smaller than this one, or nothing would change.
    room = left < 0 ? Math.min(room, plan.price) + left : room + left;
  }
  return best;
}
