import { modelByteLength } from '../../onnx/index.js';
import { parseQuality } from '../budget.js';
import { DEFAULT_QUALITY } from '../options.js';
import { longestFor, timeOf } from '../time.js';
import { writeChoices } from '../write.js';
import type { SearchInput, SearchResult } from './input.js';
import { type LayerStudy, type Plan, type Planner, plannersOf, smallestPassing } from './plan.js';
import { bisections, keeps, smallestHolding, thinned } from './quality.js';

/** What a byte may cost, as shares of the model's time over its bytes: nothing at first, then more and more. */
const EXCHANGE = [0, 0.2, 1, 5];

/**
 * The fastest plan that keeps the quality and the size: time and bytes have one price, in which bytes weigh more until
 * the file fits.
 * @returns `undefined` where it never does
 */
export async function fastWithin(input: SearchInput, limit: number): Promise<Plan | undefined> {
  const { job, studies } = input;
  const { quality, maxLatency } = job.settings;
  // Without any other bound the fastest would be of no use.
  const guard = quality.length > 0 ? quality : [parseQuality(DEFAULT_QUALITY)];
  const guarded = { ...input, job: { ...job, settings: { ...job.settings, quality: guard } } };
  const total = (of: (study: LayerStudy) => number) => studies.reduce((sum, study) => sum + of(study), 0);
  const rate = total(({ times }) => times?.before ?? 0) / total(({ bytesBefore }) => bytesBefore);
  const fits = ({ choice }: Plan) => modelByteLength(writeChoices(job.model, choice)) <= limit;
  for (const share of EXCHANGE) {
    const priced = studies.map(study => withBytes(study, share * rate));
    const planners = plannersOf(priced).map(({ planner }) => planner);
    if (maxLatency === undefined) {
      const plan = await smallestHolding(planners, guarded);
      if (plan && fits(plan)) return plan;
    } else {
      const { plan } = await firstInTime(planners[0]!, input, fits);
      if (plan && (await keeps(plan, quality, input))) return plan;
    }
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

/** The best plan that runs fast enough; without one the fastest that keeps the quality. */
export async function withinLatency(planner: Planner, input: SearchInput): Promise<SearchResult> {
  const { job, limit } = input;
  const { maxLatency, quality } = job.settings;
  const { plan, ratio } = await firstInTime(planner, input);
  if (!plan) {
    const holding = quality.length > 0 ? await smallestHolding([planner], input) : undefined;
    return {
      plan: holding ?? planner.front()[0]!,
      warnings: [
        `The fastest that these methods make takes ${ratio.toFixed(2)} times as long as the original${holding ? ': this is the fastest that keeps the quality' : ''}.`,
      ],
    };
  }
  const missed = [
    limit !== undefined && modelByteLength(writeChoices(job.model, plan.choice)) > limit && 'the size',
    quality.length > 0 && !(await keeps(plan, quality, input)) && quality.map(({ text }) => text).join(', '),
  ].filter(Boolean);
  return {
    plan,
    warnings:
      missed.length > 0
        ? [`The best file that runs in ${maxLatency}× the time does not hold ${missed.join(' and ')}.`]
        : [],
  };
}

/** Whether a plan's file runs in the time that was asked for. */
export async function isInTime({ choice }: Plan, { job, evaluator }: SearchInput): Promise<boolean> {
  const longest = longestFor(job.settings.maxLatency!, evaluator);
  return (await timeOf(writeChoices(job.model, choice), evaluator, longest)) <= longest;
}

/** The best plan that is fast enough and fits, by timing written models; and the last time, as a share of the original's. */
async function firstInTime(
  planner: Planner,
  { job, evaluator }: SearchInput,
  fits: (plan: Plan) => boolean = () => true,
): Promise<{ plan: Plan | undefined; ratio: number }> {
  const slowestFirst = thinned(planner).reverse();
  const timed = job.clock.start('search', bisections([slowestFirst]));
  const longest = longestFor(job.settings.maxLatency!, evaluator);
  let runs = 0;
  let ratio = 1;
  const plan = await smallestPassing(slowestFirst, async candidate => {
    timed(runs++);
    if (!fits(candidate)) return false;
    ratio = await timeOf(writeChoices(job.model, candidate.choice), evaluator, longest);
    return ratio <= longest;
  });
  return { plan, ratio };
}
