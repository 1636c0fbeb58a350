/**
 * Small language models of equal size on both texts at once, thirty times as large as in the small study and in ten passes
 * over ten times the text. Wants a GPU. It has not been run in full here.
 *
 *     whittle study docs/studies/full-scale/language-model
 */
import { defineStudy } from 'whittle-nn/study';
import { choice, type ValuesOf } from 'whittle-nn/train';
import small from '../../language-model/study.js';
import { scaledArms, withDefault } from '../scaled.js';

const settings = {
  ...small.settings,
  corpus: withDefault(small.settings.corpus, 'both' as const),
  features: withDefault(small.settings.features, 256),
  depth: withDefault(small.settings.depth, 8),
  heads: withDefault(small.settings.heads, 8),
  tokens: withDefault(small.settings.tokens, 256),
  fraction: withDefault(small.settings.fraction, 0.125),
  epochs: withDefault(small.settings.epochs, 10),
  learningRate: withDefault(small.settings.learningRate, 1e-3),
  provider: choice('cuda', ['cuda', 'cpu']),
};

export default defineStudy({
  title: 'Language models of six million parameters',
  question: small.question,
  claims: small.claims!,
  settings,
  places: ['provider'],
  seeds: 3,
  metric: small.metric,
  columns: small.columns!,
  reference: small.reference,
  plot: small.plot!,
  arms: scaledArms(small.arms, (values: ValuesOf<typeof settings>) => values),
});
