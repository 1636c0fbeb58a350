import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { type Batch, checkIndices, type Dataset, type Field } from './dataset.js';
import type { SpecialTokens } from './special-tokens.js';
import type { SpanQuestion } from './squad.js';
import type { TextTokenizer } from './text-tokenizer.js';
import { type LocatedTokens, locateTokens } from './token-spans.js';

export interface SpanWindowOptions {
  readonly tokenizer: TextTokenizer;
  readonly special: SpecialTokens;
  /** Tokens of a window: start, question, separator, a piece of the context, separator. */
  readonly tokens: number;
  /** From the start of one piece of a long context to that of the next; default a third of `tokens`. */
  readonly stride?: number;
  /** Longer questions are cut; default 64, and at most half a window. */
  readonly maxQuestionTokens?: number;
}

/** A piece of the context of one question. */
interface Window {
  readonly question: number;
  /** Tokens [first, last) of the context. */
  readonly first: number;
  readonly last: number;
  /** Where the answer begins and ends in the window; 0, the start token, where it is not in it. */
  readonly start: number;
  readonly end: number;
}

/**
 * Questions and their contexts as BERT reads them, `[CLS] question [SEP] context [SEP]`; a long context gives several
 * overlapping windows. Fields, all int64: `input_ids`, `attention_mask`, `token_type_ids` (0 for the question, 1 for the
 * context), each (batch, tokens), `start_positions` and `end_positions` (batch), the first and last token of the first
 * of the right answers.
 * Devlin et al., NAACL 2019, section 4.2.
 */
export class SpanWindows implements Dataset {
  readonly length: number;
  readonly fields: Readonly<Record<string, Field>>;
  readonly questions: readonly SpanQuestion[];
  readonly tokens: number;
  private readonly special: SpecialTokens;
  private readonly windows: readonly Window[];
  private readonly asked: readonly Int32Array[];
  private readonly contexts: readonly LocatedTokens[];

  /** @throws WhittleError where a window has no room for a context, or the stride leaves out tokens */
  constructor(questions: readonly SpanQuestion[], options: SpanWindowOptions) {
    const { tokenizer, special, tokens, stride = Math.max(1, Math.floor(tokens / 3)) } = options;
    const { maxQuestionTokens = Math.min(64, Math.floor(tokens / 2)) } = options;
    const room = tokens - 3 - maxQuestionTokens;
    if (!(room > 0 && stride > 0 && stride <= room)) {
      throw new WhittleError(
        `windows of ${tokens} tokens with questions of up to ${maxQuestionTokens} cannot move by ${stride}`,
        { hint: 'Use longer windows, shorter questions, or a smaller stride' },
      );
    }
    this.questions = questions;
    this.tokens = tokens;
    this.special = special;
    // Questions on the same context share its tokens.
    const known = new Map<string, LocatedTokens>();
    this.contexts = questions.map(({ context }) => {
      const located = known.get(context) ?? locateTokens(tokenizer, context);
      known.set(context, located);
      return located;
    });
    this.asked = questions.map(({ question }) =>
      Int32Array.from(tokenizer.encode(question)).slice(0, maxQuestionTokens),
    );
    this.windows = questions.flatMap((_, question) => this.cut(question, stride));
    this.length = this.windows.length;
    const row: Field = { dtype: 'int64', shape: [tokens] };
    const position: Field = { dtype: 'int64', shape: [] };
    this.fields = {
      input_ids: row,
      attention_mask: row,
      token_type_ids: row,
      start_positions: position,
      end_positions: position,
    };
  }

  async batch(indices: ArrayLike<number>): Promise<Batch> {
    checkIndices(indices, this.length);
    const count = indices.length;
    const { tokens } = this;
    const ids = new BigInt64Array(count * tokens).fill(BigInt(this.special.pad));
    const mask = new BigInt64Array(count * tokens);
    const types = new BigInt64Array(count * tokens);
    const starts = new BigInt64Array(count);
    const ends = new BigInt64Array(count);
    for (let i = 0; i < count; i++) {
      const window = this.windows[indices[i]!]!;
      const row = this.row(window);
      const from = i * tokens;
      ids.set(row, from);
      mask.fill(1n, from, from + row.length);
      types.fill(1n, from + this.contextAt(window), from + row.length);
      starts[i] = BigInt(window.start);
      ends[i] = BigInt(window.end);
    }
    const wide = (data: BigInt64Array) => Tensor.from('int64', [count, tokens], data);
    return {
      input_ids: wide(ids),
      attention_mask: wide(mask),
      token_type_ids: wide(types),
      start_positions: Tensor.from('int64', [count], starts),
      end_positions: Tensor.from('int64', [count], ends),
    };
  }

  /**
   * The answers that a network's scores amount to: for each question the piece of context whose first and last token
   * have the largest sum of scores, over all its windows.
   * @param startScores (windows, tokens), of all windows in their order
   * @param endScores likewise
   * @param maxAnswerTokens longer answers are not considered; default 30
   * @returns texts by question id
   */
  answers(startScores: Float32Array, endScores: Float32Array, maxAnswerTokens = 30): Map<string, string> {
    const expected = this.length * this.tokens;
    if (startScores.length !== expected || endScores.length !== expected) {
      throw new WhittleError(
        `${this.length} windows of ${this.tokens} tokens need ${expected} scores, not ${startScores.length} and ${endScores.length}`,
      );
    }
    const best = new Float64Array(this.questions.length).fill(Number.NEGATIVE_INFINITY);
    const found = new Map<string, string>();
    for (const [i, window] of this.windows.entries()) {
      const { question, first, last } = window;
      const offset = i * this.tokens + this.contextAt(window) - first;
      const { starts, ends } = this.contexts[question]!;
      for (let start = first; start < last; start++) {
        for (let end = start; end < Math.min(last, start + maxAnswerTokens); end++) {
          const score = startScores[offset + start]! + endScores[offset + end]!;
          if (!(score > best[question]!)) continue;
          best[question] = score;
          const { id, context } = this.questions[question]!;
          found.set(id, context.slice(starts[start], ends[end]).trim());
        }
      }
    }
    return found;
  }

  /** Where the context begins in a window. */
  private contextAt({ question }: Window): number {
    return this.asked[question]!.length + 2;
  }

  private row(window: Window): BigInt64Array {
    const { question, first, last } = window;
    const { start, separator } = this.special;
    const context = this.contexts[question]!.ids.subarray(first, last);
    return BigInt64Array.from([start, ...this.asked[question]!, separator, ...context, separator], BigInt);
  }

  private cut(question: number, stride: number): Window[] {
    const { ids, starts, ends } = this.contexts[question]!;
    const at = this.asked[question]!.length + 2;
    const room = this.tokens - at - 1;
    const { start, text } = this.questions[question]!.answers[0]!;
    const from = ends.findIndex(end => end > start);
    const to = starts.findLastIndex(begin => begin < start + text.length);
    const windows: Window[] = [];
    for (let first = 0; ; first += stride) {
      const last = Math.min(ids.length, first + room);
      const inside = from >= first && to < last;
      windows.push({
        question,
        first,
        last,
        start: inside ? from - first + at : 0,
        end: inside ? to - first + at : 0,
      });
      if (last === ids.length) return windows;
    }
  }
}
