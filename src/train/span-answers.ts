import { Order } from '../datasets/order.js';
import { type SpanScores, scoreSpans } from '../datasets/span-scores.js';
import type { SpanWindows } from '../datasets/span-windows.js';
import type { Model } from '../graph/model.js';
import { createSession } from '../runtime/create.js';
import type { SessionOptions } from '../runtime/options.js';

export interface AnswerOptions {
  /** Default 64. */
  readonly batchSize?: number;
  /** Longer answers are not considered; default 30. */
  readonly maxAnswerTokens?: number;
  readonly session?: SessionOptions;
}

/**
 * Answers questions with a model that has the outputs `start_logits` and `end_logits` (batch, tokens), such as
 * `bert({ head: 'span' })`.
 * @returns answers by question id
 */
export async function answerSpans(
  model: Model,
  windows: SpanWindows,
  { batchSize = 64, maxAnswerTokens, session: options = {} }: AnswerOptions = {},
): Promise<Map<string, string>> {
  const { tokens, length } = windows;
  const scores = {
    start_logits: new Float32Array(length * tokens),
    end_logits: new Float32Array(length * tokens),
  };
  if (length === 0) return new Map();
  const session = await createSession(model, options);
  try {
    const names = session.inputs.map(({ name }) => name);
    const order = new Order(length, { batchSize, shuffle: false, dropLast: false });
    for (let seen = 0; seen < length; ) {
      const indices = order.next();
      const batch = await windows.batch(indices);
      const feeds = Object.fromEntries(names.flatMap(name => (batch[name] ? [[name, batch[name]]] : [])));
      const results = await session.run(feeds, Object.keys(scores));
      scores.start_logits.set(results.start_logits!.toFloat32(), seen * tokens);
      scores.end_logits.set(results.end_logits!.toFloat32(), seen * tokens);
      seen += indices.length;
    }
  } finally {
    await session.release();
  }
  return windows.answers(scores.start_logits, scores.end_logits, maxAnswerTokens);
}

/** F1 and exact match of a model's answers, as SQuAD counts them. */
export async function scoreAnswers(
  model: Model,
  windows: SpanWindows,
  options: AnswerOptions = {},
): Promise<SpanScores> {
  return scoreSpans(windows.questions, await answerSpans(model, windows, options));
}
