/**
 * Source: Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021,
 * section 6.
 *
 *     whittle study docs/studies/attention
 */
import {
  inventedFacts,
  maskedDataset,
  SpanWindows,
  specialTokensAfter,
  squadQuestions,
  textWindows,
  trainBpe,
} from 'whittle-nn/datasets';
import { loadCorpus } from 'whittle-nn/datasets/node';
import { defineStudy } from 'whittle-nn/study';
import { integer, number, type ValuesOf } from 'whittle-nn/train';
import { type BertData, bertArms, decaySettings } from '../bert.js';

const settings = {
  ...decaySettings,
  features: integer(64, { min: 4 }),
  depth: integer(2, { min: 1 }),
  heads: integer(4, { min: 1 }),
  tokens: integer(128, { min: 32, description: 'of a piece of text, and of a question with its text' }),
  vocabulary: integer(512, { min: 257 }),
  updates: integer(600, { min: 1 }),
  learningRate: number(2e-3, { min: 0 }),
  // BERT’s 0.01 would do nothing in so few updates.
  weightDecay: number(0.3, { min: 0, description: 'decoupled' }),
  articles: integer(1200, { min: 1, description: 'texts with six questions each to learn from' }),
  testArticles: integer(100, { min: 1 }),
  spanEpochs: number(1, { min: 0.001 }),
  spanLearningRate: number(1e-3, { min: 0 }),
};
type Values = ValuesOf<typeof settings>;

/** Moby-Dick, its last tenth held out, and invented questions of which those for the test have names of their own. */
function prepare({ tokens, vocabulary, articles, testArticles }: Values): BertData {
  const chapters = loadCorpus('moby-dick');
  const tokenizer = trainBpe(chapters, vocabulary);
  const special = specialTokensAfter(tokenizer);
  const ids = Uint16Array.from(tokenizer.encode(chapters.join('\n\n')));
  const held = Math.floor(0.9 * ids.length);
  const windows = (count: number, seed: number) =>
    new SpanWindows(squadQuestions(inventedFacts({ articles: count, seed })), {
      tokenizer,
      special,
      tokens,
      maxQuestionTokens: Math.floor(tokens / 4),
    });
  return {
    special,
    train: textWindows(ids.subarray(0, held), { special, tokens }),
    test: maskedDataset(textWindows(ids.subarray(held), { special, tokens }), { special }),
    questions: windows(articles, 1),
    testQuestions: windows(testArticles, 2),
  };
}

export default defineStudy({
  title: 'Attention with Frobenius decay',
  question:
    'Does a small BERT lose less from heads of half the width, or do better at full width, where Frobenius decay of Q Kᵀ and V Oᵀ takes the place of weight decay on the projections?',
  notes: [
    'A network of some hundred thousand parameters on one novel, and invented questions in simple sentences; the source trains BERT-base on Wikipedia and books and asks SQuAD.',
    'Pretraining is short: guessing by the frequency of the tokens alone gives an MLM loss of 5.27, these networks 4.94, and 3,000 updates in a trial 4.7.',
    'Pretraining differs between the arms; fine-tuning is the same for all, with ordinary weight decay.',
    'F1 and exact match are those of SQuAD v1.1, on invented texts with other names than those learned from.',
  ],
  claims: [
    {
      source: 'Khodak et al. 2021',
      says: 'Frobenius decay beats weight decay in attention',
      better: 'full-frobenius',
      than: 'full-weight',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'Frobenius decay beats weight decay with heads of half the width',
      better: 'half-frobenius',
      than: 'half-weight',
    },
  ],
  settings,
  seeds: 3,
  metric: { figure: 'span_f1', label: 'Span F1', betterIs: 'higher' },
  columns: [
    { figure: 'span_exact', label: 'Exact match' },
    { figure: 'mlm_loss', label: 'MLM loss' },
    { figure: 'parameters' },
    { figure: 'bytes' },
    { figure: 'cpu_seconds' },
  ],
  reference: 'full-weight',
  arms: bertArms<Values>({ prepare, optimizer: 'adamW', dropout: 0 }),
});
