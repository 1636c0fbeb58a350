import { type EvalFunction, type EvaluationReport, evaluate, type Runner } from '../data/evaluation.js';
import type { DType } from '../graph/dtype.js';
import type { Session } from '../runtime/index.js';
import { bootstrapInterval } from './bootstrap.js';
import type { MeanChange, SampleChange, ScoreRow } from './report.js';

export interface ScoreComparison {
  readonly scores: ScoreRow[];
  /** Inputs that got worse, worst first. */
  readonly worst: SampleChange[];
  /** How the samples' own scores changed, where the evaluation gave any. */
  readonly perSample?: MeanChange;
}

/** Runs the user's evaluation on both models. */
export async function compareScores(
  evalFunction: EvalFunction,
  original: Session,
  compressed: Session,
  options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<ScoreComparison> {
  const reference = asRunner(original);
  const progress = (part: number) => (done: number, total: number) =>
    options.onProgress?.(part * total + done, 2 * total);
  const context = { reference, ...(options.signal && { signal: options.signal }) };
  const before = await evaluate(evalFunction, reference, { ...context, onProgress: progress(0) });
  const after = await evaluate(evalFunction, asRunner(compressed), { ...context, onProgress: progress(1) });
  return compareEvaluations(before, after);
}

/** What changed between two evaluations. */
export function compareEvaluations(before: EvaluationReport, after: EvaluationReport): ScoreComparison {
  const scores = [...after.scores].flatMap(([name, score]): ScoreRow[] => {
    const was = before.scores.get(name);
    if (!was) return [];
    const { value, betterIs, format, description } = score;
    const unit = format === 'percent' && { unit: '%' };
    return [
      { name, before: was.value, after: value, betterIs, ...unit, ...(description && { description }) },
    ];
  });
  const known = new Map(before.samples.map(sample => [sample.id, sample]));
  const changes = after.samples.flatMap((sample): SampleChange[] => {
    const was = known.get(sample.id);
    if (!was || sample.score === undefined || was.score === undefined) return [];
    return [
      {
        id: sample.id,
        change: sample.score - was.score,
        ...(sample.image !== undefined && { image: sample.image }),
        ...(sample.expected !== undefined && { expected: sample.expected }),
        ...(was.text !== undefined && { before: was.text }),
        ...(sample.text !== undefined && { after: sample.text }),
      },
    ];
  });
  const perSample = meanChange(changes.map(({ change }) => change));
  changes.sort((a, b) => a.change - b.change);
  return {
    scores,
    worst: changes.filter(({ change }) => change < 0).slice(0, 12),
    ...(perSample && { perSample }),
  };
}

function meanChange(changes: readonly number[]): MeanChange | undefined {
  const meanOf = (selection: Iterable<number>) => {
    let sum = 0;
    for (const index of selection) sum += changes[index]!;
    return sum / changes.length;
  };
  const interval = bootstrapInterval(changes.length, meanOf);
  return interval && { samples: changes.length, mean: meanOf(changes.keys()), interval };
}

/** A session as an evaluation sees it. */
export function asRunner(session: Session): Runner {
  // Evaluations are for tensors; an input of another kind has no dtype and cannot be fed anyway.
  const info = (values: Session['inputs']) =>
    values.map(value => ({ name: value.name, dtype: value.dtype as DType, shape: value.shape }));
  return {
    inputs: info(session.inputs),
    outputs: info(session.outputs),
    run: feeds => session.run(feeds),
  };
}
