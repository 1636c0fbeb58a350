/**
 * Structured linear layers in the source's own network: catid's table A–I with the x-transformers ViT of 5,812,538
 * parameters on CIFAR-10, and the arms that he never tried. Wants a GPU and the binary version of CIFAR-10. It has not been
 * run in full here.
 *
 *     whittle study docs/studies/full-scale/linear-layers --set data=cifar-10-batches-bin
 *
 * His figures, of single runs: (A) 88.6, (B) 88.39, (C) 87.32, (D) 88.29, (E) 87.83, (F) 88.24, (G) 88.77 and 88.54,
 * (H) 88.09, (I) 87.47.
 */
import { xTransformersVit } from 'whittle-nn/nn';
import { type Arm, defineStudy } from 'whittle-nn/study';
import type { ValuesOf } from 'whittle-nn/train';
import small, { type Values as SmallValues } from '../../linear-layers/study.js';
import { scaledArms, withDefault } from '../scaled.js';
import { VIT_NOTES, vitSettings, vitTraining } from '../vit-training.js';

const { features, depth, heads, headDim, patchSize, fraction } = small.settings;

const settings = {
  ...vitSettings,
  patchSize: withDefault(patchSize, 4),
  features: withDefault(features, 256),
  depth: withDefault(depth, 4),
  heads: withDefault(heads, 6),
  headDim: withDefault(headDim, 64),
  fraction,
};
type Values = ValuesOf<typeof settings>;

const adapt = (values: Values): SmallValues => ({
  ...values,
  trainExamples: 50_000,
  scale(widths, seed) {
    const { patchSize, features, depth, heads, headDim } = values;
    const hiddenFeatures = Math.round(4 * widths.ffn * features);
    const network = xTransformersVit({
      patchSize,
      features,
      depth,
      heads,
      headDim: Math.round(widths.heads * headDim),
      hiddenFeatures,
      training: true,
      seed,
    });
    return vitTraining(network, values, seed);
  },
});

/** The small study measures times of inference, with images of its own size. */
const untimed = ({ measure: _, ...arm }: Arm<Values>): Arm<Values> => arm as Arm<Values>;

export default defineStudy({
  title: 'Structured linear layers in a vision transformer on CIFAR-10',
  question: small.question,
  notes: VIT_NOTES,
  claims: small.claims!,
  settings,
  places: ['data', 'provider'],
  seeds: 3,
  metric: small.metric,
  columns: small.columns!.filter(({ figure }) => figure !== 'run_ms'),
  reference: small.reference,
  plot: small.plot!,
  arms: Object.fromEntries(
    Object.entries(scaledArms(small.arms, adapt)).map(([name, arm]) => [name, untimed(arm)]),
  ),
});
