import { modelByteLength } from '../onnx/index.js';
import { compareSessions, createSession } from '../runtime/index.js';
import type { QualityBound } from './budget.js';
import type { EndToEnd } from './end-to-end.js';
import type { Evaluator } from './evaluator.js';
import { type LayerStudy, type Plan, Planner, smallestPassing, thinFront } from './plan.js';
import type { Job } from './prepare.js';
import { holds } from './quality.js';
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
  const { goal, maxLatency } = job.settings;
  const planner = new Planner(input.studies, goal === 'speed' ? 'ms' : 'bytes');
  if (maxLatency !== undefined) return searchForLatency(planner, input, maxLatency);
  if (limit === undefined) {
    const plan = await smallestHolding(planner, input);
    if (plan) return { plan, warnings: [] };
    const bounds = job.settings.quality.map(({ text }) => text).join(', ');
    return {
      plan: planner.front().at(-1)!,
      warnings: [`The original itself does not hold ${bounds}: its weights are left as they are.`],
    };
  }
  const plan = fitToSize(planner, input, limit);
  if (!plan) {
    const smallest = planner.front()[0]!;
    const bytes = modelByteLength(writeChoices(job.model, smallest.choice)).toLocaleString('en');
    return {
      plan: smallest,
      warnings: [
        `The methods at hand cannot reach ${limit.toLocaleString('en')} bytes: their smallest file takes ${bytes}.`,
      ],
    };
  }
  const bounds = job.settings.quality;
  if (bounds.length === 0 || (await keeps(plan, bounds, input))) return { plan, warnings: [] };
  const larger = await smallestHolding(planner, input);
  const texts = bounds.map(({ text }) => text).join(', ');
  return {
    plan,
    warnings: [
      larger
        ? `The best file of at most ${limit.toLocaleString('en')} bytes does not hold ${texts}: that takes ${modelByteLength(writeChoices(job.model, larger.choice)).toLocaleString('en')} bytes.`
        : `The original itself does not hold ${texts}.`,
    ],
  };
}

/**
 * The smallest plan that holds the quality bounds: found on the probes, then confirmed and where needed corrected on
 * the held-out inputs.
 */
async function smallestHolding(planner: Planner, input: SearchInput): Promise<Plan | undefined> {
  const { job, endToEnd } = input;
  const { settings, clock } = job;
  const all = planner.front();
  const front = thinFront(all, (all.at(-1)!.price - all[0]!.price) / 200);
  const onProbes = settings.quality.filter(({ measure }) => measure !== 'score');
  if (onProbes.length === 0) {
    // An evaluation brings inputs of its own: there is nothing quicker to ask first.
    const evaluated = clock.start('search', Math.ceil(Math.log2(front.length + 1)));
    let evaluations = 0;
    return smallestPassing(front, plan => {
      evaluated(evaluations++);
      return keeps(plan, settings.quality, input);
    });
  }
  const steps = clock.start('search', Math.ceil(Math.log2(front.length + 1)));
  let done = 0;
  const found = await smallestPassing(front, async plan => {
    steps(done++);
    const outputs = await endToEnd.agreement(replacementsOf(plan, endToEnd));
    return onProbes.every(bound => holds(bound, { outputs, scores: [] }));
  });
  if (!found) return undefined;
  const confirmed = clock.start('confirm', 1);
  let confirmations = 0;
  return nearestPassing(front, front.indexOf(found), plan => {
    confirmed(confirmations++);
    return keeps(plan, settings.quality, input);
  });
}

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

/** The best plan whose model runs in at most a share of the original's time, by measuring the whole model. */
async function searchForLatency(planner: Planner, input: SearchInput, share: number): Promise<SearchResult> {
  const { job, studies } = input;
  const fastest = planner.front()[0]!;
  let room = share * studies.reduce((sum, { msBefore = 0 }) => sum + msBefore, 0);
  let plan = planner.within(room) ?? fastest;
  let ratio = await latencyOf(plan, job);
  // The layers' own times leave out the rest of the model: the room shrinks by as much as the whole is too slow.
  for (let tries = 0; ratio > share && plan !== fastest && tries < MAX_TRIES; tries++) {
    room = Math.min(room, plan.price) * Math.min(0.95, share / ratio);
    plan = planner.within(room) ?? fastest;
    ratio = await latencyOf(plan, job);
  }
  if (ratio > share) {
    return {
      plan,
      warnings: [`${share}x of the time cannot be reached: the fastest found takes ${ratio.toFixed(2)}x.`],
    };
  }
  const bounds = job.settings.quality;
  if (bounds.length === 0 || (await keeps(plan, bounds, input))) return { plan, warnings: [] };
  const texts = bounds.map(({ text }) => text).join(', ');
  return { plan, warnings: [`The best model within ${share}x of the time does not hold ${texts}.`] };
}

const MAX_TRIES = 6;

/** Time of one run against the original's, both in turns on one held-out input. */
async function latencyOf(plan: Plan, { model, original, inputs, options }: Job): Promise<number> {
  const sessionOptions = {
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.provider !== undefined && { provider: options.provider }),
  };
  const before = await createSession(original, sessionOptions);
  const after = await createSession(writeChoices(model, plan.choice), sessionOptions);
  try {
    return (await compareSessions(before, after, inputs.heldOut[0]!)).ratio;
  } finally {
    await before.release();
    await after.release();
  }
}

/** The best plan whose written file fits: what lies around the layers is measured, not assumed. */
function fitToSize(planner: Planner, { job, studies }: SearchInput, limit: number): Plan | undefined {
  const { model } = job;
  let room =
    limit - (modelByteLength(model) - studies.reduce((sum, { bytesBefore }) => sum + bytesBefore, 0));
  for (;;) {
    const plan = planner.within(room);
    if (!plan) return undefined;
    const excess = modelByteLength(writeChoices(model, plan.choice)) - limit;
    if (excess <= 0) return plan;
    room = plan.price - excess;
  }
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
  { job, evaluator }: SearchInput,
): Promise<boolean> {
  const model = writeChoices(job.model, plan.choice);
  const onScores = bounds.filter(({ measure }) => measure === 'score');
  const onOutputs = bounds.filter(({ measure }) => measure !== 'score');
  if (onOutputs.length > 0) {
    const outputs = await evaluator.outputs(model);
    if (!onOutputs.every(bound => holds(bound, { outputs, scores: [] }))) return false;
  }
  if (onScores.length === 0) return true;
  const { scores } = await evaluator.scores(model);
  return onScores.every(bound => holds(bound, { outputs: [], scores }));
}
