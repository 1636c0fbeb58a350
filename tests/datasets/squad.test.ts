import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inventedFacts } from '../../src/datasets/invented-facts.js';
import { answerWords, exactMatch, scoreSpans, wordF1 } from '../../src/datasets/span-scores.js';
import { readSquad, squadQuestions } from '../../src/datasets/squad.js';
import { loadSquad } from '../../src/datasets/squad.node.js';

const document = (changes: object = {}, context = 'The 🜁 boat of the two Å brothers, a sloop.') => ({
  version: '1.1',
  data: [
    {
      title: 'Boats',
      paragraphs: [
        {
          context,
          qas: [
            {
              id: 'q1',
              question: 'Whose boat?',
              // Code points: the alchemical sign is one, though JavaScript counts two.
              answers: [{ text: 'two Å brothers', answer_start: 18 }],
              ...changes,
            },
          ],
        },
      ],
    },
  ],
});

describe('questions in the format of SQuAD', () => {
  it('count characters as Python does', () => {
    const [question] = readSquad(JSON.stringify(document()));
    expect(question).toEqual({
      id: 'q1',
      title: 'Boats',
      context: 'The 🜁 boat of the two Å brothers, a sloop.',
      question: 'Whose boat?',
      answers: [{ text: 'two Å brothers', start: 19 }],
    });
    expect(question!.context.indexOf('two')).toBe(19);
  });

  it.each([
    [{ answers: [] }, /no answer, as in SQuAD v2\.0/],
    [{ answers: [{ text: 'two Å brothers', answer_start: 19 }] }, /is not in its context at that place/],
    [{ answers: [{ text: 'two', answer_start: -1 }] }, /answers\[0\]\.answer_start/],
    [{ answers: [{ text: '', answer_start: 0 }] }, /not in its context/],
    [{ answers: 'two' }, /data\[0\]\.paragraphs\[0\]\.qas\[0\]\.answers/],
    [{ question: 7 }, /a text is missing.*qas\[0\]\.question/s],
    [{ id: undefined }, /qas\[0\]\.id/],
  ])('say what is wrong with %j', (changes, message) => {
    expect(() => squadQuestions(document(changes), 'dev.json')).toThrow(message);
  });

  it('are refused beyond limits, twice, or as something else', () => {
    const { data } = document();
    expect(() => squadQuestions({ data: [...data, ...data] })).toThrow(/"q1" occurs twice/);
    expect(() => squadQuestions(document(), undefined, { questions: 0 })).toThrow(/more than 0 questions/);
    expect(() => squadQuestions(document(), undefined, { characters: 12 })).toThrow(/longer than 12/);
    for (const odd of [null, [], 3, { data: {} }, { data: [null] }, { data: [{ __proto__: [] }] }]) {
      expect(() => squadQuestions(odd)).toThrow(/is missing/);
    }
    expect(() => readSquad('{', 'dev.json')).toThrow(/no JSON/);
  });

  it('load from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'whittle-squad-'));
    try {
      const file = join(folder, 'dev.json');
      await writeFile(file, JSON.stringify(document()));
      expect(loadSquad(file)).toHaveLength(1);
      expect(() => loadSquad(join(folder, 'none.json'))).toThrow(/no such file/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('scores of answers', () => {
  it('leave out case, punctuation and articles', () => {
    expect(answerWords('The  "Quick", brown-ish fox\u00a0—\tAn end.')).toEqual([
      'quick',
      'brownish',
      'fox',
      '—',
      'end',
    ]);
    // Punctuation goes first, so that "a.n" becomes an article, and letters beyond ASCII belong to words.
    expect(answerWords('a.n apple, thé aé ana')).toEqual(['apple', 'thé', 'aé', 'ana']);
    expect(answerWords('$1,000.50')).toEqual(['100050']);
    expect(answerWords('a_b the')).toEqual(['ab']);
    expect(answerWords('one\u001ctwo\u0085three')).toEqual(['one', 'two', 'three']);
  });

  it('of one answer', () => {
    expect(exactMatch('the Eiffel Tower!', 'Eiffel tower')).toBe(1);
    expect(exactMatch('Tower Eiffel', 'Eiffel Tower')).toBe(0);
    expect(wordF1('Tower Eiffel', 'Eiffel Tower')).toBe(1);
    // Precision 2/4, recall 2/3.
    expect(wordF1('in Paris in spring', 'Paris in autumn')).toBeCloseTo(4 / 7, 12);
    // A word counts as often as both have it: 1 of 3, 1 of 1.
    expect(wordF1('no no no', 'no')).toBeCloseTo(0.5, 12);
    expect(wordF1('London', 'Paris')).toBe(0);
    // Version 1.1 gives nothing where no word is left, even where both are equal.
    expect([wordF1('the', 'the'), exactMatch('the', 'a')]).toEqual([0, 1]);
  });

  it('of many: the best right answer counts, and no prediction is wrong', () => {
    const question = (id: string, ...answers: string[]) => ({
      id,
      title: '',
      context: '',
      question: '',
      answers: answers.map(text => ({ text, start: 0 })),
    });
    const questions = [question('a', 'blue', 'dark blue'), question('b', 'four'), question('c', 'x y')];
    const predictions = new Map([
      ['a', 'a dark blue'],
      ['c', 'x'],
    ]);
    const { exact, f1 } = scoreSpans(questions, predictions);
    expect(exact).toBeCloseTo(1 / 3, 12);
    expect(f1).toBeCloseTo((1 + 0 + 2 / 3) / 3, 12);
  });
});

describe('invented facts', () => {
  it('are sound questions, the same for the same seed', () => {
    const made = inventedFacts({ articles: 60, seed: 5 });
    const questions = squadQuestions(made);
    expect(questions).toHaveLength(60 * 2 * 3);
    expect(inventedFacts({ articles: 60, seed: 5 })).toEqual(made);
    expect(inventedFacts({ articles: 60, seed: 6 })).not.toEqual(made);
    expect(inventedFacts({ articles: 2, seed: 5 }).data).toEqual(made.data.slice(0, 2));
    const odd = questions.filter(
      ({ context, question, answers }) =>
        /[{}]/.test(context + question) ||
        !question.endsWith('?') ||
        !context.endsWith('.') ||
        answers.length > 2,
    );
    expect(odd).toEqual([]);
  });

  it('need both the question and the name', () => {
    const questions = squadQuestions(inventedFacts({ articles: 40, facts: 2 }));
    // The same question with the other name has another place of answer in the same text.
    for (const context of new Set(questions.map(({ context }) => context))) {
      const asked = questions.filter(question => question.context === context);
      expect(new Set(asked.map(({ answers }) => answers[0]!.start)).size).toBe(4);
      expect(new Set(asked.map(({ question }) => question)).size).toBe(4);
    }
    expect(() => inventedFacts({ articles: 1, facts: 5 })).toThrow(/1 to 4 facts/);
  });
});
