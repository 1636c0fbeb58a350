import type { QualityBound } from '../budget.js';
import type { EndToEnd } from '../end-to-end.js';
import { holds, holdsSurely } from '../quality.js';
import { writeChoices } from '../write.js';
import type { SearchInput } from './input.js';
import { type Plan, type Planner, smallestPassing, thinFront } from './plan.js';

/**
 * The smallest plan that holds the quality bounds: found on the probes, then confirmed and where needed corrected on
 * the held-out inputs.
 */
export async function smallestHolding(
  planners: readonly Planner[],
  input: SearchInput,
): Promise<Plan | undefined> {
  const { job, endToEnd } = input;
  const { settings, clock } = job;
  const onProbes = settings.quality.filter(({ measure }) => measure !== 'score');
  const fronts = planners.map(thinned);
  if (onProbes.length === 0) {
    // An evaluation brings inputs of its own: there is nothing quicker to ask first.
    const evaluated = clock.start('search', bisections(fronts.slice(0, 1)));
    let evaluations = 0;
    return smallestPassing(fronts[0]!, plan => {
      evaluated(evaluations++);
      return keeps(plan, settings.quality, input);
    });
  }
  const tried = clock.start('search', bisections(fronts));
  let tries = 0;
  let found: { plan: Plan; front: readonly Plan[] } | undefined;
  for (const front of fronts) {
    const plan = await smallestPassing(front, async candidate => {
      tried(tries++);
      const outputs = await endToEnd.agreement(replacementsOf(candidate, endToEnd));
      return onProbes.every(bound => holds(bound, { outputs, scores: [] }));
    });
    if (plan && (!found || plan.price < found.plan.price)) found = { plan, front };
  }
  if (!found) return undefined;
  const { plan, front } = found;
  const confirmed = clock.start('confirm', 1);
  let confirmations = 0;
  return nearestPassing(front, front.indexOf(plan), candidate => {
    confirmed(confirmations++);
    return keeps(candidate, settings.quality, input);
  });
}

/** A front without plans that hardly differ. */
export function thinned(planner: Planner): Plan[] {
  const front = planner.front();
  return thinFront(front, (front.at(-1)!.price - front[0]!.price) / 250);
}

export const bisections = (fronts: readonly (readonly Plan[])[]): number =>
  fronts.reduce((sum, { length }) => sum + Math.ceil(Math.log2(length + 1)), 0);

/**
 * The first plan that passes from `start` on, where that one mostly does: steps of doubling size find one, bisection
 * the smallest after the last that failed.
 */
async function nearestPassing(
  front: readonly Plan[],
  start: number,
  passes: (plan: Plan) => Promise<boolean>,
): Promise<Plan | undefined> {
  let failed = start - 1;
  let step = 1;
  for (let at = start; ; at = Math.min(at + step, front.length - 1), step *= 2) {
    if (await passes(front[at]!))
      return smallestPassing(
        front.slice(failed + 1, at + 1),
        async plan => plan === front[at] || passes(plan),
      );
    failed = at;
    if (at === front.length - 1) return undefined;
  }
}

const replacementsOf = ({ choice }: Plan, endToEnd: EndToEnd) =>
  new Map(
    [...choice].flatMap(([site, scored]) =>
      scored && endToEnd.reaches(site) ? [[site, scored.candidate.weight()] as const] : [],
    ),
  );

/** Whether a plan's file holds the bounds on the held-out inputs. The evaluation runs only where it can still decide. */
export async function keeps(
  plan: Plan,
  bounds: readonly QualityBound[],
  { job, evaluator }: Pick<SearchInput, 'job' | 'evaluator'>,
): Promise<boolean> {
  const model = writeChoices(job.model, plan.choice);
  const onScores = bounds.filter(({ measure }) => measure === 'score');
  const onOutputs = bounds.filter(({ measure }) => measure !== 'score');
  if (onOutputs.length > 0) {
    const outputs = await evaluator.outputs(model);
    const held = job.inputs.confirmed === job.inputs.reported ? holds : holdsSurely;
    if (!onOutputs.every(bound => held(bound, { outputs, scores: [] }))) return false;
  }
  if (onScores.length === 0) return true;
  const { scores } = await evaluator.scores(model);
  return onScores.every(bound => holds(bound, { outputs: [], scores }));
}
