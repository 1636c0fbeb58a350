import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trainBpe } from '../../src/datasets/bpe-train.js';
import { SpanWindows } from '../../src/datasets/span-windows.js';
import { specialTokensAfter } from '../../src/datasets/special-tokens.js';
import type { SpanQuestion } from '../../src/datasets/squad.js';
import { byteTokenizer } from '../../src/datasets/text-tokenizer.js';
import { locateTokens } from '../../src/datasets/token-spans.js';

const bpe = trainBpe(['the cat sat on the mat, the größer the better; the cat sat. '.repeat(5)], 290);

describe('places of tokens', () => {
  it('are where their text is', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('the cat größer', 'A\u0301 ça'));
    fc.assert(
      fc.property(text, fc.constantFrom(bpe, byteTokenizer), (text, tokenizer) => {
        const { ids, starts, ends } = locateTokens(tokenizer, text);
        expect(starts.length).toBe(ids.length);
        const wrong = Array.from(ids, (id, i) => {
          const covered = text.slice(starts[i], ends[i]);
          const more = new TextEncoder().encode(covered).length - tokenizer.byteLength(id);
          const whole = tokenizer.decode([id]);
          // A token may hold a part of its first and of its last character.
          if (whole.includes('\ufffd')) return more < 0 || more > 6;
          return covered !== whole || starts[i] !== (i === 0 ? 0 : ends[i - 1]);
        });
        expect(wrong).not.toContain(true);
        expect(ends.at(-1) ?? 0).toBe(text.length);
      }),
    );
  });

  it('of a character in several tokens are the whole character', () => {
    expect(locateTokens(byteTokenizer, 'a🜁b')).toEqual({
      ids: Int32Array.from(byteTokenizer.encode('a🜁b')),
      starts: Uint32Array.from([0, 1, 1, 1, 1, 3]),
      ends: Uint32Array.from([1, 3, 3, 3, 3, 4]),
    });
  });
});

const special = specialTokensAfter(byteTokenizer);
const ask = (context: string, text: string, id = 'q', question = 'Who?'): SpanQuestion => ({
  id,
  title: '',
  context,
  question,
  answers: [{ text, start: context.indexOf(text) }],
});
const numbers = (tensor: { data(): unknown } | undefined): number[] =>
  Array.from(tensor!.data() as BigInt64Array, Number);

describe('windows of questions', () => {
  it('are laid out as BERT reads them', async () => {
    const windows = new SpanWindows([ask('It was Ann.', 'Ann')], {
      tokenizer: byteTokenizer,
      special,
      tokens: 20,
      maxQuestionTokens: 4,
    });
    const batch = await windows.batch([0]);
    const bytes = (text: string) => byteTokenizer.encode(text);
    expect(numbers(batch.input_ids)).toEqual([
      special.start,
      ...bytes('Who?'),
      special.separator,
      ...bytes('It was Ann.'),
      special.separator,
      special.pad,
      special.pad,
    ]);
    expect(numbers(batch.attention_mask)).toEqual([...Array(18).fill(1), 0, 0]);
    expect(numbers(batch.token_type_ids)).toEqual([...Array(6).fill(0), ...Array(12).fill(1), 0, 0]);
    expect(numbers(batch.start_positions)).toEqual([13]);
    expect(numbers(batch.end_positions)).toEqual([15]);
    expect(batch.start_positions!.dims).toEqual([1]);
  });

  it('overlap, and say where the answer is not', async () => {
    const windows = new SpanWindows([ask('0123456789abcdef', '9a')], {
      tokenizer: byteTokenizer,
      special,
      tokens: 15,
      stride: 4,
      maxQuestionTokens: 4,
    });
    // Eight tokens of context at 0, 4 and 8.
    expect(windows.length).toBe(3);
    const { start_positions, end_positions } = await windows.batch([0, 1, 2]);
    expect(numbers(start_positions)).toEqual([0, 11, 7]);
    expect(numbers(end_positions)).toEqual([0, 12, 8]);
    await expect(windows.batch([3])).rejects.toThrow(/0 to 2/);
  });

  it('give the right answers back where the scores point at the labels', async () => {
    const words = fc.array(fc.constantFrom('the', 'cat', 'sat', 'größer', 'on', '🜁', 'mat,', 'better;'), {
      minLength: 1,
      maxLength: 30,
    });
    const examples = fc.array(fc.tuple(words, fc.nat(), fc.nat({ max: 2 })), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(examples, fc.constantFrom(bpe, byteTokenizer), async (drawn, tokenizer) => {
        const questions = drawn.map(([list, at, more], i): SpanQuestion => {
          const first = at % list.length;
          const start = list.slice(0, first).join(' ').length + (first > 0 ? 1 : 0);
          const text = list.slice(first, first + 1 + more).join(' ');
          return { ...ask(list.join(' '), text, `${i}`), answers: [{ text, start }] };
        });
        const windows = new SpanWindows(questions, {
          tokenizer,
          special: specialTokensAfter(tokenizer),
          tokens: 64,
          stride: 20,
          maxQuestionTokens: 4,
        });
        const all = Array.from({ length: windows.length }, (_, i) => i);
        const batch = await windows.batch(all);
        const scores = [batch.start_positions, batch.end_positions].map(positions => {
          const data = new Float32Array(windows.length * 64);
          numbers(positions).forEach((at, i) => {
            data[i * 64 + at] = 1;
          });
          return data;
        });
        const found = windows.answers(scores[0]!, scores[1]!);
        for (const { id, answers } of questions) expect(found.get(id)).toBe(answers[0]!.text);
      }),
      { numRuns: 60 },
    );
  });

  it('never answer with the question, backwards, or at too great a length', () => {
    const windows = new SpanWindows([ask('one two three', 'two')], {
      tokenizer: byteTokenizer,
      special,
      tokens: 24,
      maxQuestionTokens: 4,
    });
    const scores = (...places: [number, number][]): Float32Array => {
      const data = new Float32Array(24);
      for (const [at, score] of places) data[at] = score;
      return data;
    };
    // The context begins at 6. Start and end in the question score most.
    expect(windows.answers(scores([2, 50], [10, 5]), scores([3, 50], [12, 5])).get('q')).toBe('two');
    // An end before the start does not count.
    expect(windows.answers(scores([10, 5]), scores([7, 5], [12, 1])).get('q')).toBe('two');
    expect(windows.answers(scores([6, 5], [14, 1]), scores([18, 5]), 5).get('q')).toBe('three');
    expect(() => windows.answers(new Float32Array(3), new Float32Array(3))).toThrow(/24 scores/);
  });

  it('refuse what cannot hold a context, or would skip some', () => {
    const options = { tokenizer: byteTokenizer, special, tokens: 10 };
    expect(() => new SpanWindows([], { ...options, maxQuestionTokens: 7 })).toThrow(/cannot move/);
    expect(() => new SpanWindows([], { ...options, maxQuestionTokens: 4, stride: 4 })).toThrow(/move by 4/);
  });
});
