import type { SpanQuestion } from './squad.js';

/** Means over questions, from 0 to 1; SQuAD's own script prints them times 100. */
export interface SpanScores {
  /** The share of answers that are right to the letter, articles, punctuation and case aside. */
  readonly exact: number;
  /** The mean overlap of words. */
  readonly f1: number;
}

const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** Words as Python's `\b` delimits them, which knows letters beyond ASCII. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
/** What Python's `split` takes for space: Unicode's own, and four separators of ASCII. */
const SPACE = /[\p{White_Space}\u001c-\u001f]+/u;

/** The words of an answer that count: lower case, without ASCII punctuation and without a, an and the. */
export const answerWords = (text: string): string[] =>
  text.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLES, ' ').split(SPACE).filter(Boolean);

/** 1 where the two answers have the same words in the same order, else 0. */
export const exactMatch = (prediction: string, answer: string): number =>
  Number(answerWords(prediction).join(' ') === answerWords(answer).join(' '));

/** The harmonic mean of precision and recall of the prediction's words, each counted as often as it occurs. */
export function wordF1(prediction: string, answer: string): number {
  const [predicted, right] = [answerWords(prediction), answerWords(answer)];
  const left = new Map<string, number>();
  for (const word of right) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of predicted) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  return common === 0 ? 0 : (2 * common) / (predicted.length + right.length);
}

/**
 * Scores answers as the evaluation of SQuAD v1.1 does: the best of each question's right answers counts, and a question
 * without a prediction counts 0.
 * @param predictions texts by question id
 * @returns NaN where there are no questions
 */
export function scoreSpans(
  questions: readonly SpanQuestion[],
  predictions: ReadonlyMap<string, string>,
): SpanScores {
  let [exact, f1] = [0, 0];
  for (const { id, answers } of questions) {
    const prediction = predictions.get(id);
    if (prediction === undefined) continue;
    exact += Math.max(...answers.map(({ text }) => exactMatch(prediction, text)));
    f1 += Math.max(...answers.map(({ text }) => wordF1(prediction, text)));
  }
  return { exact: exact / questions.length, f1: f1 / questions.length };
}
