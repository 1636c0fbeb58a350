/**
 * DYAD in the feed-forward layers of catid's ViT-tiny on CIFAR-10: dense with 4,363,254 parameters, and four times as wide
 * in DYAD of eight blocks with 4,366,326. Wants a GPU and the binary version of CIFAR-10. It has not been run in full here.
 *
 *     whittle study docs/studies/full-scale/vit-tiny --set data=cifar-10-batches-bin
 *
 * His figures: dense 85.46, 84.96, 85.76, 85.48; DYAD 85.14, 84.67, 84.69, 84.88, 23% slower.
 */
import { dyadMethod } from 'whittle-nn/methods/structured';
import { vitTiny } from 'whittle-nn/nn';
import { type Arm, defineStudy } from 'whittle-nn/study';
import { integer, number, type TrainingMethod, type ValuesOf } from 'whittle-nn/train';
import { VIT_NOTES, vitSettings, vitTraining } from '../vit-training.js';

const settings = {
  ...vitSettings,
  features: integer(512, { min: 8, description: 'width of the tokens' }),
  hiddenFeatures: integer(256, { min: 8, description: 'width inside the dense feed-forward layers' }),
  depth: integer(4, { min: 1 }),
  heads: integer(6, { min: 1 }),
  headDim: integer(64, { min: 1 }),
  dropout: number(0.1, { min: 0, max: 0.9 }),
};
type Values = ValuesOf<typeof settings>;

const arm = (label: string, width: number, methods: () => TrainingMethod[]): Arm<Values> => ({
  label,
  train(values, seed) {
    const { features, hiddenFeatures, depth, heads, headDim, dropout } = values;
    const network = vitTiny({
      features,
      hiddenFeatures: width * hiddenFeatures,
      depth,
      heads,
      headDim,
      dropout,
      training: true,
      seed,
    });
    return { ...vitTraining(network, values, seed), methods: methods() };
  },
});

export default defineStudy({
  title: 'DYAD in ViT-tiny',
  question:
    'Are feed-forward layers four times as wide, in DYAD of as many weights, better than dense ones in a ViT for small data?',
  notes: VIT_NOTES,
  settings,
  places: ['data', 'provider'],
  seeds: 4,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  columns: [{ figure: 'parameters' }, { figure: 'bytes' }, { figure: 'flops' }, { figure: 'step_ms' }],
  reference: 'dense',
  arms: {
    dense: arm('Dense', 1, () => []),
    dyad: arm('DYAD, four times as wide', 4, () => [
      dyadMethod.create({ layers: 'ffn', start: 'variance', blocks: 8, variant: 'it', cat: false }),
    ]),
  },
});
