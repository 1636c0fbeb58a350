/**
 * What the studies on Fashion-MNIST have in common: a slim CIFAR-style ResNet on part of the training images. The data:
 * `apt install dataset-fashion-mnist`, or --set data=FOLDER.
 */
import { type Dataset, subset } from 'whittle-nn/datasets';
import { loadFashionMnist } from 'whittle-nn/datasets/node';
import { cifarResNet, type Network } from 'whittle-nn/nn';
import { factorForSize } from 'whittle-nn/study';
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

export const settings = {
  data: text('/usr/share/datasets/fashion-mnist', 'folder of the idx files'),
  depth: integer(8, { description: '6n + 2' }),
  width: number(1, { min: 0.05, max: 4, description: 'of the dense network, of 16, 32 and 64 channels' }),
  epochs: number(8, { min: 0.01 }),
  trainExamples: integer(10_000, { min: 128, max: 60_000 }),
  batchSize: integer(128, { min: 1 }),
  learningRate: number(0.1, { min: 0 }),
  weightDecay: number(5e-4, { min: 0 }),
};
export type Values = ValuesOf<typeof settings> & { readonly scale?: Scale };

/** What a study at full scale has in the place of this network, this training and these images. */
export interface Scale {
  network(width: number, seed: number): Network;
  /** `values` may ask for fewer epochs or another rate than the study's. */
  training(network: Network, values: Values, seed: number): ConfiguredTraining;
  trainingImages(): Dataset;
}

export const NOTES = [
  'One small network, one small data set, a sixth of its training images: the order of the arms may be another at full scale.',
];

export const resNet = ({ depth, scale }: Values, width: number, seed: number): Network =>
  scale?.network(width, seed) ??
  cifarResNet({ depth, width, channels: 1, imageSize: 28, classes: 10, training: true, seed });

export const trainingImages = ({ data, scale }: Values): Dataset =>
  scale?.trainingImages() ?? loadFashionMnist(data, 'train');

/** The dense network of this share of the parameters: narrower. */
export function narrowNet(values: Values, share: number, seed: number): Network {
  const count = resNet(values, values.width, 0).parameterCount();
  const width = factorForSize(share * count, at => resNet(values, at, 0), { to: values.width });
  return resNet(values, width, seed);
}

/** How every arm is trained. */
export function training(network: Network, values: Values, seed: number): ConfiguredTraining {
  if (values.scale) return values.scale.training(network, values, seed);
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
    evaluation: { every: epochs / 2 },
    batchSize,
    epochs,
    seed,
  };
}
