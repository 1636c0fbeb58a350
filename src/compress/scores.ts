import { type EvalFunction, evaluate, type Runner } from '../data/evaluation.js';
import type { DType } from '../graph/dtype.js';
import type { Session } from '../runtime/index.js';
import type { SampleChange, ScoreRow } from './report.js';

export interface ScoreComparison {
  readonly scores: ScoreRow[];
  /** Inputs that got worse, worst first. */
  readonly worst: SampleChange[];
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
  const rows: ScoreRow[] = [];
  for (const [name, score] of after.scores) {
    const was = before.scores.get(name);
    if (!was) continue;
    rows.push({
      name,
      before: was.value,
      after: score.value,
      betterIs: score.betterIs,
      ...(score.format === 'percent' && { unit: '%' }),
      ...(score.description && { description: score.description }),
    });
  }
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
  changes.sort((a, b) => a.change - b.change);
  return { scores: rows, worst: changes.filter(({ change }) => change < 0).slice(0, 12) };
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
