/**
 * How Khodak, Tenenholtz, Mackey and Fusi (ICLR 2021) train on CIFAR: SGD with momentum 0.9 for 200 epochs of batches of
 * 128, the rate a tenth after half and after three quarters of them.
 */
import type { ImageArray } from 'whittle-nn/datasets';
import { loadCifar10 } from 'whittle-nn/datasets/node';
import { cifarResNet, type Network } from 'whittle-nn/nn';
import {
  type ConfiguredTraining,
  choice,
  classification,
  integer,
  number,
  randomCrop,
  randomFlip,
  type Schedule,
  sgd,
  stepwise,
  text,
  type ValuesOf,
} from 'whittle-nn/train';
import type { Scale } from '../fashion-mnist.js';

export interface Recipe {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
}

export interface CifarImages {
  readonly train: ImageArray;
  readonly test: ImageArray;
}

export function cifarTraining(
  network: Network,
  { train, test }: CifarImages,
  { epochs, batchSize, learningRate, weightDecay }: Recipe,
  seed: number,
  schedule: (falling: Schedule) => Schedule = falling => falling,
): ConfiguredTraining {
  const { mean, std } = train.normalization;
  return {
    network,
    data: { train, test },
    objective: classification(),
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: schedule(stepwise({ base: learningRate, milestones: [0.5, 0.75] })),
    weightDecay,
    transforms: [randomCrop({ padding: 4, fill: mean.map((m, i) => -m / std[i]!) }), randomFlip()],
    evaluation: { every: Math.min(epochs, 5) },
    batchSize,
    epochs,
    seed,
  };
}

/** Settings of a study of the source's ResNet-32 of double width on CIFAR-10. */
export const resNet32Settings = {
  data: text('cifar-10-batches-bin', 'folder of the .bin files'),
  depth: integer(32, { description: '6n + 2' }),
  width: number(2, { min: 0.02, description: 'of the dense network, of 16, 32 and 64 channels' }),
  epochs: number(200, { min: 0.001 }),
  batchSize: integer(128, { min: 1 }),
  learningRate: number(0.1, { min: 0 }),
  weightDecay: number(1e-4, { min: 0 }),
  provider: choice('cuda', ['cuda', 'cpu']),
};

/** It in the place of the slim ResNet on Fashion-MNIST. */
export function resNet32Scale({ data, depth }: ValuesOf<typeof resNet32Settings>): Scale {
  const load = (split: 'train' | 'test') => loadCifar10(data, split);
  return {
    network: (width, seed) => cifarResNet({ depth, width, classes: 10, training: true, seed }),
    training: (network, values, seed) =>
      cifarTraining(network, { train: load('train'), test: load('test') }, values, seed),
    trainingImages: () => load('train'),
  };
}
