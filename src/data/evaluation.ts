import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import type { Sample, TensorInfo } from './sample.js';

/** A model that can be run, as an evaluation sees it. */
export interface Runner {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Runs the model once; the result holds all outputs by name. */
  run(feeds: Sample): Promise<Record<string, Tensor>>;
}

/** A figure with what is needed to show it and to judge a change of it. A bare number is better when higher. */
export type Score =
  | number
  | {
      readonly value: number;
      /** Default `higher`. */
      readonly betterIs?: 'higher' | 'lower';
      /** `percent`: the value is in percent points, 0 … 100. `number` is the default. */
      readonly format?: 'percent' | 'number';
      /** One sentence: what it measures. */
      readonly description?: string;
    };

/** What a model did with one input, so that a report can show where it got worse. */
export interface SampleResult {
  /** Names the input; the same for every model, so that results can be compared. */
  readonly id: string;
  /** How good the answer is; higher is better. */
  readonly score?: number;
  /** The answer, and the right one, as text. */
  readonly text?: string;
  readonly expected?: string;
  /** An image of the input: a file path. */
  readonly image?: string;
}

export type Scores = Readonly<Record<string, Score>>;

/** What an evaluation returns: named scores, alone or with results for each input. */
export type Evaluation = Scores | { readonly scores: Scores; readonly samples?: readonly SampleResult[] };

export interface EvalContext {
  /** The original model: to score agreement with it. While the original itself is scored, the same as the runner. */
  readonly reference: Runner;
  /** Call it now and then, to show progress. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the work early; pass it on or call `throwIfAborted()` between runs. */
  readonly signal?: AbortSignal;
}

/**
 * A task's own measure, given by the user: the default export (or the export `evaluate`) of the file behind
 * `--eval FILE.ts`. It is called once for the original and once for each model compared with it, and should use
 * the same inputs each time.
 */
export type EvalFunction = (runner: Runner, context: EvalContext) => Promise<Evaluation> | Evaluation;

export interface EvaluationReport {
  readonly scores: ReadonlyMap<string, Required<Exclude<Score, number>>>;
  readonly samples: readonly SampleResult[];
}

/** Runs an evaluation and brings its result into one form. @throws WhittleError where it returns no finite scores */
export async function evaluate(
  evalFunction: EvalFunction,
  runner: Runner,
  context: EvalContext,
): Promise<EvaluationReport> {
  const result: unknown = await evalFunction(runner, context);
  const detailed = isRecord(result) && isRecord(result.scores) && !('value' in result.scores);
  const scores = detailed ? result.scores : result;
  if (!isRecord(scores) || Object.keys(scores).length === 0) {
    throw new WhittleError('the evaluation returned no scores', {
      hint: 'Return an object of named numbers, such as { accuracy: 0.93 }',
    });
  }
  return {
    scores: new Map(Object.entries(scores).map(([name, score]) => [name, toScore(name, score)])),
    samples: detailed && Array.isArray(result.samples) ? (result.samples as SampleResult[]) : [],
  };
}

function toScore(name: string, score: unknown): Required<Exclude<Score, number>> {
  const { value, betterIs, format, description } = (isRecord(score) ? score : { value: score }) as Partial<
    Record<'value' | 'betterIs' | 'format' | 'description', unknown>
  >;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new WhittleError(`the evaluation's score "${name}" is ${String(value)}, not a finite number`, {
      hint: 'Return finite numbers: a score of no samples is often 0 / 0',
    });
  }
  return {
    value,
    betterIs: betterIs === 'lower' ? 'lower' : 'higher',
    format: format === 'percent' ? 'percent' : 'number',
    description: typeof description === 'string' ? description : '',
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
