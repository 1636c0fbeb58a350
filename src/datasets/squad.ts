import { WhittleError } from '../graph/errors.js';

/** The JSON of SQuAD v1.1. `answer_start` counts Unicode code points, as Python does. */
export interface SquadDocument {
  readonly version: string;
  readonly data: readonly {
    readonly title: string;
    readonly paragraphs: readonly {
      readonly context: string;
      readonly qas: readonly {
        readonly id: string;
        readonly question: string;
        readonly answers: readonly { readonly text: string; readonly answer_start: number }[];
      }[];
    }[];
  }[];
}

/** A question whose answer is a piece of a text. */
export interface SpanQuestion {
  readonly id: string;
  readonly title: string;
  readonly context: string;
  readonly question: string;
  /** At least one; all are right. `start` counts as JavaScript does (UTF-16). */
  readonly answers: readonly { readonly text: string; readonly start: number }[];
}

export interface SquadLimits {
  /** Default 2 million; SQuAD's training set has 87 599. */
  readonly questions?: number;
  /** Characters of a context or a question; default 1 million. */
  readonly characters?: number;
}

/**
 * Questions from the text of a SQuAD v1.1 file, such as `train-v1.1.json`.
 * Rajpurkar, Zhang, Lopyrev & Liang, EMNLP 2016, https://arxiv.org/abs/1606.05250.
 * @param file for messages
 * @throws WhittleError where it is no JSON, lacks a field, an answer is not where it should be in its context, a question
 *   has none (as in SQuAD v2.0), an id occurs twice, or a limit is passed
 */
export function readSquad(text: string, file?: string, limits?: SquadLimits): SpanQuestion[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new WhittleError(`the questions are no JSON: ${(cause as Error).message}`, {
      ...(file !== undefined && { file }),
      cause,
      hint: 'Get the file again',
    });
  }
  return squadQuestions(document, file, limits);
}

/** The same from the parsed JSON. */
export function squadQuestions(
  document: unknown,
  file?: string,
  { questions: most = 2e6, characters = 1e6 }: SquadLimits = {},
): SpanQuestion[] {
  const read = new Reader(file, characters);
  const questions: SpanQuestion[] = [];
  const ids = new Set<string>();
  for (const [article, place] of read.list(document, 'data', '')) {
    const title = read.text(article, 'title', place);
    for (const [paragraph, inArticle] of read.list(article, 'paragraphs', place)) {
      const context = read.text(paragraph, 'context', inArticle);
      const toUnits = codeUnitsOf(context);
      for (const [entry, at] of read.list(paragraph, 'qas', inArticle)) {
        const id = read.text(entry, 'id', at);
        const question = read.text(entry, 'question', at);
        if (ids.has(id)) read.fail(`the id "${id}" occurs twice`, at);
        ids.add(id);
        if (questions.length >= most) read.fail(`there are more than ${most} questions`, at);
        const answers = read.list(entry, 'answers', at).map(([answer, where]) => {
          const found = read.text(answer, 'text', where);
          const start = toUnits(read.count(answer, 'answer_start', where));
          if (found !== '' && context.startsWith(found, start)) return { text: found, start };
          return read.fail(`the answer "${brief(found)}" is not in its context at that place`, where);
        });
        if (answers.length === 0) read.fail('the question has no answer, as in SQuAD v2.0', at);
        questions.push({ id, title, context, question, answers });
      }
    }
  }
  return questions;
}

/** Reads fields of JSON that may be anything, and says where one is not what it should be. */
class Reader {
  private readonly file: string | undefined;
  private readonly characters: number;

  constructor(file: string | undefined, characters: number) {
    this.file = file;
    this.characters = characters;
  }

  list(from: unknown, name: string, place: string): [unknown, string][] {
    const path = place === '' ? name : `${place}.${name}`;
    const list = this.field(from, name);
    if (!Array.isArray(list)) return this.fail('a list is missing', path);
    return list.map((item: unknown, i) => [item, `${path}[${i}]`]);
  }

  text(from: unknown, name: string, place: string): string {
    const text = this.field(from, name);
    if (typeof text !== 'string') return this.fail('a text is missing', `${place}.${name}`);
    if (text.length > this.characters) {
      return this.fail(
        `a text of ${text.length} characters is longer than ${this.characters}`,
        `${place}.${name}`,
      );
    }
    return text;
  }

  count(from: unknown, name: string, place: string): number {
    const number = this.field(from, name);
    if (typeof number === 'number' && Number.isInteger(number) && number >= 0) return number;
    return this.fail('a whole number from 0 on is missing', `${place}.${name}`);
  }

  fail(problem: string, value: string): never {
    throw new WhittleError(problem, {
      ...(this.file !== undefined && { file: this.file }),
      value,
      hint: 'The format is that of SQuAD v1.1: https://rajpurkar.github.io/SQuAD-explorer/',
    });
  }

  private field(from: unknown, name: string): unknown {
    if (typeof from !== 'object' || from === null || !Object.hasOwn(from, name)) return undefined;
    return (from as Record<string, unknown>)[name];
  }
}

/** Turns a number of code points from the start of the text into one of UTF-16 units. */
function codeUnitsOf(text: string): (points: number) => number {
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return points => points;
  const starts: number[] = [];
  let at = 0;
  for (const character of text) {
    starts.push(at);
    at += character.length;
  }
  return points => starts[points] ?? at;
}

const brief = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
