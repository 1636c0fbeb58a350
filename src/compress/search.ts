import type { Model } from '../graph/model.js';
import { modelByteLength } from '../onnx/index.js';
import { createSession } from '../runtime/index.js';
import type { EndToEnd } from './end-to-end.js';
import type { CompressOptions, Settings } from './options.js';
import type { PhaseClock } from './phases.js';
import { type LayerStudy, type Plan, Planner, smallestPassing, thinFront } from './plan.js';
import { holds, type MeasuredQuality } from './quality.js';
import { compareScores } from './scores.js';
import { writeChoices } from './write.js';

export interface SearchInput {
  readonly model: Model;
  readonly studies: readonly LayerStudy[];
  readonly endToEnd: EndToEnd;
  /** Bytes that the file may take. */
  readonly limit: number | undefined;
  readonly settings: Settings;
  readonly options: CompressOptions;
  readonly clock: PhaseClock;
}

/** A choice for every layer, and what the user must know about it. */
export interface SearchResult {
  readonly choice: Plan['choice'];
  readonly warnings: readonly string[];
}

/**
 * Finds the plan that meets the budget: under a size limit the best that fits; under quality bounds alone the smallest
 * whose measured quality holds. Where the budget cannot be met it gives the nearest plan that can be written, and says
 * so.
 */
export async function search(input: SearchInput): Promise<SearchResult> {
  const planner = new Planner(input.studies);
  const { limit, settings } = input;
  if (limit !== undefined) {
    const plan = fitToSize(planner, input, limit);
    if (!plan) {
      const smallest = planner.front()[0]!;
      const bytes = modelByteLength(writeChoices(input.model, smallest.choice));
      return {
        choice: smallest.choice,
        warnings: [`${limit} bytes cannot be reached with these methods: the smallest is ${bytes} bytes`],
      };
    }
    const missed = await missedBounds(plan, input);
    return {
      choice: plan.choice,
      warnings: missed.map(text => `within ${limit} bytes ${text} does not hold; this is the best that fits`),
    };
  }
  const front = thinFront(planner.front(), modelByteLength(input.model) / 200);
  const measured = input.clock.start('search', Math.ceil(Math.log2(front.length + 1)));
  let steps = 0;
  const plan = await smallestPassing(front, async candidate => {
    measured(steps++);
    return (await missedBounds(candidate, input)).length === 0;
  });
  if (plan) return { choice: plan.choice, warnings: [] };
  return {
    choice: front.at(-1)!.choice,
    warnings: [`${settings.quality.map(({ text }) => text).join(', ')} cannot be held; this is the nearest`],
  };
}

/** The best plan whose written file fits: what lies around the layers is measured, not assumed. */
function fitToSize(planner: Planner, { model, studies }: SearchInput, limit: number): Plan | undefined {
  let room =
    limit - (modelByteLength(model) - studies.reduce((sum, { bytesBefore }) => sum + bytesBefore, 0));
  for (;;) {
    const plan = planner.within(room);
    if (!plan) return undefined;
    const excess = modelByteLength(writeChoices(model, plan.choice)) - limit;
    if (excess <= 0) return plan;
    room = plan.layerBytes - excess;
  }
}

/** Which quality bounds a plan breaks, by measurement on the probe inputs or by the user's evaluation. */
async function missedBounds(plan: Plan, input: SearchInput): Promise<string[]> {
  const { settings, endToEnd } = input;
  if (settings.quality.length === 0) return [];
  const replacements = new Map(
    [...plan.choice].flatMap(([site, scored]) =>
      scored && endToEnd.reaches(site) ? [[site, scored.candidate.weight()] as const] : [],
    ),
  );
  const outputs = await endToEnd.agreement(replacements);
  const plain = settings.quality.filter(({ measure }) => measure !== 'score');
  const missed = plain.filter(bound => !holds(bound, { outputs, scores: [] }));
  const onScores = settings.quality.filter(({ measure }) => measure === 'score');
  if (missed.length === 0 && onScores.length > 0) {
    const quality: MeasuredQuality = { outputs, scores: await scoresOf(plan, input) };
    missed.push(...onScores.filter(bound => !holds(bound, quality)));
  }
  return missed.map(({ text }) => text);
}

async function scoresOf(plan: Plan, { model, options }: SearchInput): Promise<MeasuredQuality['scores']> {
  if (!options.evaluate) return [];
  const sessionOptions = options.threads === undefined ? {} : { threads: options.threads };
  const before = await createSession(model, sessionOptions);
  const after = await createSession(writeChoices(model, plan.choice), sessionOptions);
  try {
    return (
      await compareScores(options.evaluate, before, after, options.signal ? { signal: options.signal } : {})
    ).scores;
  } finally {
    await before.release();
    await after.release();
  }
}
