/**
 * Low-rank training of ResNet-18 on Tiny-ImageNet. Wants a GPU and the data set's folder. It has not been run in full
 * here.
 * Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021.
 *
 *     whittle study docs/studies/full-scale/tiny-imagenet --set data=tiny-imagenet-200
 */
import { loadTinyImageNet } from 'whittle-nn/datasets/node';
import { lowRank } from 'whittle-nn/methods/factorized';
import { resNet } from 'whittle-nn/nn';
import { defineStudy, type TrainingArm } from 'whittle-nn/study';
import {
  type ConfiguredTraining,
  choice,
  classification,
  integer,
  number,
  randomCrop,
  randomFlip,
  sgd,
  stepwise,
  text,
  type ValuesOf,
} from 'whittle-nn/train';

const settings = {
  data: text('tiny-imagenet-200', 'folder with train, val, wnids.txt and words.txt'),
  width: number(1, { min: 0.02, description: 'multiplies all widths; below 1 for trials' }),
  epochs: number(200, { min: 0.001 }),
  batchSize: integer(128, { min: 1 }),
  learningRate: number(0.1, { min: 0 }),
  weightDecay: number(1e-4, { min: 0 }),
  provider: choice('cuda', ['cuda', 'cpu']),
};
type Values = ValuesOf<typeof settings>;

function training(values: Values, seed: number): ConfiguredTraining {
  const { data, width, epochs, batchSize, learningRate, weightDecay, provider } = values;
  const train = loadTinyImageNet(data, 'train');
  return {
    network: resNet({ depth: 18, imageSize: 64, classes: train.classes.length, width, training: true, seed }),
    data: { train, test: loadTinyImageNet(data, 'val') },
    objective: classification(),
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: stepwise({ base: learningRate, milestones: [0.5, 0.75] }),
    weightDecay,
    transforms: [randomCrop({ padding: 8 }), randomFlip()],
    evaluation: { every: Math.min(epochs, 5) },
    batchSize,
    epochs,
    seed,
    session: { provider },
  };
}

const factorized = (share: number, decay: 'weight' | 'frobenius'): TrainingArm<Values> => ({
  label: `Low rank${decay === 'frobenius' ? ', SI + FD' : ''}, ${100 * share}%`,
  group: `About ${100 * share}% of the parameters`,
  series: decay === 'frobenius' ? 'low rank, SI + FD' : 'low rank',
  train: (values, seed) => ({
    ...training(values, seed),
    methods: [
      lowRank({ rank: { parameters: share }, init: decay === 'frobenius' ? 'spectral' : 'plain', decay }),
    ],
  }),
});

export default defineStudy({
  title: 'Low-rank training on Tiny-ImageNet',
  question:
    'Does ResNet-18 trained in factorized form with spectral initialization and Frobenius decay keep the accuracy of the dense one?',
  settings,
  places: ['data', 'provider'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'dense',
  plot: { x: { figure: 'parameters' }, log: true },
  arms: {
    dense: { label: 'Dense', train: training },
    ...Object.fromEntries(
      [0.15, 0.1, 0.05].flatMap(share => [
        [`plain-${100 * share}`, factorized(share, 'weight')],
        [`si-fd-${100 * share}`, factorized(share, 'frobenius')],
      ]),
    ),
  },
});
