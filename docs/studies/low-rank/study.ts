/**
 * Does a network trained in factorized form beat a narrower dense one of equal size?
 *
 *     whittle study docs/studies/low-rank
 *
 * Fashion-MNIST: `apt install dataset-fashion-mnist`, or --set data=FOLDER.
 */
import { subset } from 'whittle-nn/datasets';
import { loadFashionMnist } from 'whittle-nn/datasets/node';
import { cifarResNet, type Network } from 'whittle-nn/nn';
import { defineStudy, factorForSize } from 'whittle-nn/study';
import {
  type ConfiguredTraining,
  classification,
  cosine,
  integer,
  number,
  randomCrop,
  randomFlip,
  sgd,
  text,
  type ValuesOf,
  warmup,
} from 'whittle-nn/train';

const settings = {
  data: text('/usr/share/datasets/fashion-mnist', 'folder of the idx files'),
  depth: integer(8, { description: '6n + 2' }),
  width: number(0.5, { min: 0.05, max: 4, description: 'of the dense network, of 16, 32 and 64 channels' }),
  epochs: number(10, { min: 0.01 }),
  trainExamples: integer(10_000, { min: 128, max: 60_000 }),
  batchSize: integer(128, { min: 1 }),
  learningRate: number(0.1, { min: 0 }),
  weightDecay: number(5e-4, { min: 0 }),
};
type Values = ValuesOf<typeof settings>;

const resNet = ({ depth }: Values, width: number, seed: number): Network =>
  cifarResNet({ depth, width, channels: 1, imageSize: 28, classes: 10, training: true, seed });

/** The width at which the dense network has this share of its parameters. */
function narrowWidth(values: Values, share: number): number {
  const count = resNet(values, values.width, 0).parameterCount();
  return factorForSize(share * count, width => resNet(values, width, 0), { to: values.width });
}

/** What all arms have in common. */
function training(network: Network, values: Values, seed: number): ConfiguredTraining {
  const { data, epochs, trainExamples, batchSize, learningRate, weightDecay } = values;
  const train = loadFashionMnist(data, 'train');
  const black = [-train.normalization.mean[0]! / train.normalization.std[0]!];
  const updates = (epochs * trainExamples) / batchSize;
  return {
    network,
    data: {
      // The files are in random order.
      train: subset(
        train,
        Array.from({ length: trainExamples }, (_, i) => i),
      ),
      test: loadFashionMnist(data, 'test'),
    },
    objective: classification(),
    optimizer: sgd({ momentum: 0.9, nesterov: true }),
    learningRate: warmup({ updates: Math.min(100, updates / 10) }, cosine({ base: learningRate })),
    weightDecay,
    transforms: [randomCrop({ padding: 2, fill: black }), randomFlip()],
    evaluation: { every: epochs / 3 },
    batchSize,
    epochs,
    seed,
  };
}

const narrow = (share: number) => ({
  label: `Dense, narrower, ${100 * share}%`,
  series: 'dense, narrower',
  group: `About ${100 * share}% of the parameters`,
  train: (values: Values, seed: number) =>
    training(resNet(values, narrowWidth(values, share), seed), values, seed),
});

export default defineStudy({
  title: 'Low-rank training on Fashion-MNIST',
  question:
    'Does a ResNet trained in factorized form reach a better accuracy than a narrower dense one of equal size?',
  notes: ['One small network, one small data set, a sixth of its training images.'],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'dense',
  plot: { x: { figure: 'parameters' }, log: true },
  arms: {
    dense: {
      label: 'Dense',
      series: 'dense, narrower',
      train: (values, seed) => training(resNet(values, values.width, seed), values, seed),
    },
    'narrow-25': narrow(0.25),
    'narrow-10': narrow(0.1),
  },
});
