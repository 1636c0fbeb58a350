import { WhittleError } from '../graph/errors.js';
import type { BudgetOutcome, QualityBound } from './budget.js';
import type { OutputAgreement, ScoreRow } from './report.js';

/** What was measured of a compressed model. */
export interface MeasuredQuality {
  readonly outputs: readonly OutputAgreement[];
  readonly scores: readonly ScoreRow[];
}

/**
 * Whether a bound holds, by the output that is worst.
 * @throws WhittleError where the bound asks for what was not measured
 */
export function holds(bound: QualityBound, quality: MeasuredQuality): boolean {
  const { value, limit } = measureOf(bound, quality);
  // NaN holds nothing.
  return bound.atLeast ? value >= limit : value <= limit;
}

/**
 * Whether a bound holds with confidence: by the unfavourable end of the 95% interval, where there is one. What just holds
 * on the inputs that chose it would fail on others half the time.
 */
export function holdsSurely(bound: QualityBound, quality: MeasuredQuality): boolean {
  const outputs = quality.outputs.map(output => {
    const { intervals = {} } = output;
    const end = (interval: readonly [number, number] | undefined, fallback: number | undefined) =>
      interval ? interval[bound.atLeast ? 0 : 1] : fallback;
    const top1 = end(intervals.top1, output.top1);
    return {
      ...output,
      cosine: end(intervals.cosine, output.cosine)!,
      relativeError: end(intervals.relativeError, output.relativeError)!,
      ...(top1 !== undefined && { top1 }),
    };
  });
  return holds(bound, { ...quality, outputs });
}

/** The measured value that a bound is about, and the bound itself as a number of the same kind. */
function measureOf(
  bound: QualityBound,
  { outputs, scores }: MeasuredQuality,
): { value: number; limit: number } {
  if (bound.measure === 'score') {
    const row = scores.find(({ name }) => name === bound.score);
    if (!row) {
      throw new WhittleError(`the bound "${bound.text}" needs a score named "${bound.score}"`, {
        hint:
          scores.length === 0
            ? 'Give an evaluation (--eval FILE.ts)'
            : `The evaluation returns ${scores.map(({ name }) => name).join(', ')}`,
      });
    }
    return { value: row.after, limit: bound.relative ? row.before + bound.value : bound.value };
  }
  const values = outputs.map(({ cosine, relativeError, top1 }) =>
    bound.measure === 'cosine' ? cosine : bound.measure === 'error' ? relativeError : top1,
  );
  const known = values.filter(value => value !== undefined);
  if (known.length === 0) {
    throw new WhittleError(`the bound "${bound.text}" has no meaning for this model's outputs`, {
      hint: 'Agreement compares the top entry along the last axis; take cosine=… instead',
    });
  }
  return { value: bound.atLeast ? Math.min(...known) : Math.max(...known), limit: bound.value };
}

/** Quality bounds against what was measured in the end. */
export const qualityOutcomes = (bounds: readonly QualityBound[], quality: MeasuredQuality): BudgetOutcome[] =>
  bounds.map(bound => {
    const { value, limit } = measureOf(bound, quality);
    return { bound: bound.text, limit, measured: value, held: holds(bound, quality) };
  });

/** A limit from above against what was measured. */
export const atMost = (bound: string, limit: number, measured: number): BudgetOutcome => ({
  bound,
  limit,
  measured,
  held: measured <= limit,
});

export const holdsAll = (budget: readonly BudgetOutcome[]): boolean => budget.every(({ held }) => held);
