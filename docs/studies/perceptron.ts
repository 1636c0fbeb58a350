/** What the probes have in common: LeNet-300-100 (LeCun et al., 1998) on Fashion-MNIST. */
import { type Dataset, subset } from 'whittle-nn/datasets';
import { loadFashionMnist } from 'whittle-nn/datasets/node';
import { mlp, type Network } from 'whittle-nn/nn';
import {
  type ConfiguredTraining,
  classification,
  cosine,
  integer,
  number,
  sgd,
  text,
  type ValuesOf,
} from 'whittle-nn/train';

export const settings = {
  data: text('/usr/share/datasets/fashion-mnist', 'folder of the idx files'),
  epochs: number(8, { min: 0.01 }),
  trainExamples: integer(10_000, { min: 128, max: 60_000 }),
  testExamples: integer(5000, { min: 100, max: 10_000 }),
  batchSize: integer(128, { min: 1 }),
  learningRate: number(0.1, { min: 0 }),
};
export type Values = ValuesOf<typeof settings>;

/** Perceptrons call their input `input`. */
function forPerceptron(images: Dataset): Dataset {
  const { pixel_values, ...fields } = images.fields;
  return {
    ...images,
    length: images.length,
    fields: { ...fields, input: pixel_values! },
    async batch(indices) {
      const { pixel_values: input, ...batch } = await images.batch(indices);
      return { ...batch, input: input! };
    },
  };
}

export const perceptron = (widths: readonly number[], seed: number): Network =>
  mlp({ widths: [784, ...widths, 10], inputShape: [1, 28, 28], training: true, seed });

/** How every arm is trained. */
export function training(network: Network, values: Values, seed: number): ConfiguredTraining {
  const { data, epochs, trainExamples, testExamples, batchSize, learningRate } = values;
  // The files are in random order.
  const first = (count: number) => Array.from({ length: count }, (_, i) => i);
  return {
    network,
    data: {
      train: forPerceptron(subset(loadFashionMnist(data, 'train'), first(trainExamples))),
      test: forPerceptron(subset(loadFashionMnist(data, 'test'), first(testExamples))),
    },
    objective: classification(),
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: cosine({ base: learningRate }),
    // Without it products of wide factors overflow with some seeds.
    clip: { norm: 1 },
    evaluation: { every: epochs, batchSize: 1000 },
    logEvery: 10,
    batchSize,
    epochs,
    seed,
  };
}
