/**
 * BERT-base, pretrained with LAMB and asked SQuAD, with Frobenius decay in attention and heads of half the width. Wants a
 * GPU, a folder of plain text and the files of SQuAD v1.1. It has not been run in full here.
 * Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021; You et
 * al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020.
 *
 *     whittle study docs/studies/full-scale/bert --set texts=wiki --set squad=squad
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { maskedDataset, SpanWindows, specialTokensAfter, textWindows, trainBpe } from 'whittle-nn/datasets';
import { loadSquad } from 'whittle-nn/datasets/node';
import { defineStudy } from 'whittle-nn/study';
import { choice, integer, number, text, type ValuesOf } from 'whittle-nn/train';
import { type BertData, bertArms, decaySettings } from '../../bert.js';

const settings = {
  ...decaySettings,
  texts: text('texts', 'folder of .txt files; the last twentieth of them is held out'),
  squad: text('squad', 'folder of train-v1.1.json and dev-v1.1.json'),
  provider: choice('cuda', ['cuda', 'cpu']),
  vocabulary: integer(30_000, { min: 257, max: 65_531 }),
  tokenizerTexts: integer(2000, { min: 1, description: 'files that the vocabulary is learned from' }),
  features: integer(768, { min: 4 }),
  depth: integer(12, { min: 1 }),
  heads: integer(12, { min: 1 }),
  tokens: integer(384, { min: 16 }),
  batchSize: integer(64, { min: 1 }),
  updates: integer(200_000, { min: 1 }),
  learningRate: number(8e-4, { min: 0 }),
  spanBatchSize: integer(32, { min: 1 }),
  spanLearningRate: number(5e-5, { min: 0 }),
};
type Values = ValuesOf<typeof settings>;

function prepare({ texts, squad, vocabulary, tokenizerTexts, tokens }: Values): BertData {
  const files = readdirSync(texts)
    .filter(name => name.endsWith('.txt'))
    .sort();
  const read = (name: string): string => readFileSync(join(texts, name), 'utf8');
  const tokenizer = trainBpe(files.slice(0, tokenizerTexts).map(read), vocabulary);
  const special = specialTokensAfter(tokenizer);
  const encoded = (names: readonly string[]) => {
    const parts = names.map(name => Uint16Array.from(tokenizer.encode(`${read(name)}\n\n`)));
    const all = new Uint16Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => {
      all.set(part, at);
      return at + part.length;
    }, 0);
    return textWindows(all, { special, tokens });
  };
  const held = Math.max(1, Math.floor(files.length / 20));
  const windows = (name: string) =>
    new SpanWindows(loadSquad(join(squad, name)), { tokenizer, special, tokens });
  return {
    special,
    train: encoded(files.slice(0, -held)),
    test: maskedDataset(encoded(files.slice(-held)), { special }),
    questions: windows('train-v1.1.json'),
    testQuestions: windows('dev-v1.1.json'),
  };
}

export default defineStudy({
  title: 'BERT with Frobenius decay in attention',
  question:
    'What do heads of half the width cost BERT-base on SQuAD, and how much of it does Frobenius decay win back?',
  notes: [
    'The text must fit into memory, two bytes a token; the vocabulary is a byte-level BPE learned from it.',
    'The source pretrains at 128 tokens first and at 512 afterwards; here it is one length throughout.',
  ],
  settings,
  places: ['texts', 'squad', 'provider'],
  seeds: 3,
  metric: { figure: 'span_f1', label: 'F1', betterIs: 'higher' },
  columns: [
    { figure: 'span_exact', label: 'Exact match' },
    { figure: 'mlm_loss', label: 'MLM loss' },
    { figure: 'parameters' },
  ],
  reference: 'full-weight',
  arms: bertArms<Values>({
    prepare,
    optimizer: 'lamb',
    dropout: 0.1,
    session: ({ provider }) => ({ provider }),
  }),
});
