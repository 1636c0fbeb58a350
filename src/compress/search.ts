import { modelByteLength } from '../onnx/index.js';
import { parseQuality, type QualityBound } from './budget.js';
import type { EndToEnd } from './end-to-end.js';
import type { Evaluator } from './evaluator.js';
import { DEFAULT_QUALITY } from './options.js';
import { type LayerStudy, type Plan, type Planner, plannersOf, smallestPassing, thinFront } from './plan.js';
import type { Job } from './prepare.js';
import { holds, holdsSurely } from './quality.js';
import { longestFor, timeOf } from './time.js';
import { writeChoices } from './write.js';

export interface SearchInput {
  readonly job: Job;
  readonly studies: readonly LayerStudy[];
  /** Measures plans quickly on a few inputs. */
  readonly endToEnd: EndToEnd;
  /** Measures written models on the held-out inputs. */
  readonly evaluator: Evaluator;
  /** Bytes that the file may take. */
  readonly limit: number | undefined;
}

/** A choice for every layer, and what the user must know about it. */
export interface SearchResult {
  readonly plan: Plan;
  readonly warnings: readonly string[];
}

/**
 * Finds the plan that meets the budget: under a size limit the best that fits; under quality bounds alone the smallest
 * whose measured quality holds. Where the budget cannot be met it gives the nearest plan that can be written, and says
 * what could be had.
 */
export async function search(input: SearchInput): Promise<SearchResult> {
  const { limit, job } = input;
  if (limit !== undefined && job.settings.goal === 'speed') {
    const found = await fastWithin(input, limit);
    if (found) return found;
  }
  // A limit in bytes is met by counting bytes, whatever the goal.
  const studies = limit === undefined ? input.studies : input.studies.map(({ times: _, ...rest }) => rest);
  const planners = plannersOf(studies).map(({ planner }) => planner);
  const bounds = job.settings.quality;
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

/** What a byte may cost, as shares of the model's time over its bytes: nothing at first, then more and more. */
const EXCHANGE = [0, 0.2, 1, 5];

/**
 * The fastest plan that keeps the quality and the size: time and bytes have one price, in which bytes weigh more until
 * the file fits.
 * @returns `undefined` where it never does
 */
async function fastWithin(input: SearchInput, limit: number): Promise<SearchResult | undefined> {
  const { job, studies } = input;
  const { quality, maxLatency } = job.settings;
  // Without any other bound the fastest would be of no use.
  const guard = quality.length === 0 && maxLatency === undefined ? [parseQuality(DEFAULT_QUALITY)] : quality;
  const guarded = { ...job, settings: { ...job.settings, quality: guard } };
  const total = (of: (study: LayerStudy) => number) => studies.reduce((sum, study) => sum + of(study), 0);
  const rate = total(({ times }) => times?.before ?? 0) / total(({ bytesBefore }) => bytesBefore);
  const fits = ({ choice }: Plan) => modelByteLength(writeChoices(job.model, choice)) <= limit;
  for (const share of EXCHANGE) {
    const priced = studies.map(study => withBytes(study, share * rate));
    const unlimited = { ...input, job: guarded, studies: priced, limit: undefined };
    const found =
      maxLatency === undefined
        ? await search(unlimited)
        : await withinLatency(plannersOf(priced)[0]!.planner, unlimited, fits);
    if (found.warnings.length === 0 && fits(found.plan)) return found;
  }
  return undefined;
}

/** A study whose times have a price for bytes added. */
function withBytes(study: LayerStudy, rate: number): LayerStudy {
  const { times, bytesBefore, scored } = study;
  if (!times) return study;
  const of = new Map(scored.map(s => [s, (times.of.get(s) ?? times.before) + rate * s.bytes]));
  return { ...study, times: { before: times.before + rate * bytesBefore, of } };
}

/** The best plan that runs fast enough, by timing written models. @param fits what else it must hold */
async function withinLatency(
  planner: Planner,
  input: SearchInput,
  fits: (plan: Plan) => boolean = () => true,
): Promise<SearchResult> {
  const { job, evaluator, limit } = input;
  const { maxLatency, quality } = job.settings;
  const slowestFirst = thinned(planner).reverse();
  const timed = job.clock.start('search', bisections([slowestFirst]));
  const longest = longestFor(maxLatency!, evaluator);
  let runs = 0;
  let ratio = 1;
  const found = await smallestPassing(slowestFirst, async plan => {
    timed(runs++);
    if (!fits(plan)) return false;
    ratio = await timeOf(writeChoices(job.model, plan.choice), evaluator, longest);
    return ratio <= longest;
  });
  if (!found) {
    const holding = quality.length > 0 ? await smallestHolding([planner], input) : undefined;
    return {
      plan: holding ?? slowestFirst.at(-1)!,
      warnings: [
        `The fastest that these methods make takes ${ratio.toFixed(2)} times as long as the original${holding ? ': this is the fastest that keeps the quality' : ''}.`,
      ],
    };
  }
  const plan = found;
  const missed = [
    limit !== undefined && modelByteLength(writeChoices(job.model, plan.choice)) > limit && 'the size',
    quality.length > 0 &&
      !(await keeps(plan, quality, { job, evaluator })) &&
      quality.map(({ text }) => text).join(', '),
  ].filter(Boolean);
  return {
    plan,
    warnings:
      missed.length > 0
        ? [`The best file that runs in ${maxLatency}× the time does not hold ${missed.join(' and ')}.`]
        : [],
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

/**
 * The smallest plan that holds the quality bounds: found on the probes, then confirmed and where needed corrected on
 * the held-out inputs.
 */
async function smallestHolding(planners: readonly Planner[], input: SearchInput): Promise<Plan | undefined> {
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
function thinned(planner: Planner): Plan[] {
  const front = planner.front();
  return thinFront(front, (front.at(-1)!.price - front[0]!.price) / 250);
}

const bisections = (fronts: readonly (readonly Plan[])[]): number =>
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

const replacementsOf = ({ choice }: Plan, endToEnd: EndToEnd) =>
  new Map(
    [...choice].flatMap(([site, scored]) =>
      scored && endToEnd.reaches(site) ? [[site, scored.candidate.weight()] as const] : [],
    ),
  );

/** Whether a plan's file holds the bounds on the held-out inputs. The evaluation runs only where it can still decide. */
async function keeps(
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
