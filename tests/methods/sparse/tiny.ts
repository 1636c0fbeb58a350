import type { Dataset } from '../../../src/datasets/index.js';
import type { Tensor } from '../../../src/graph/tensor.js';
import { mlp, type Network, vit } from '../../../src/nn/index.js';
import {
  classification,
  cosine,
  sgd,
  type TrainingMethod,
  type TrainingRun,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../../src/train/index.js';
import { brightHalves } from '../../train/tiny.js';

/** 36 → 12 → 10 → 2; the sparse layers by default are the middle one alone. */
export const tinyMlp = (): Network =>
  mlp({ widths: [36, 12, 10, 2], inputShape: [1, 6, 6], training: true, seed: 3 });

export const tinyVit = (): Network =>
  vit({
    imageSize: 8,
    patchSize: 4,
    classes: 3,
    features: 8,
    depth: 2,
    heads: 2,
    hiddenFeatures: 12,
    training: true,
  });

/** Two classes of images of 6×6, under the name of the perceptron's input. */
export function images(length: number, seed: number): Dataset {
  const source = brightHalves(length, seed);
  return {
    length,
    classes: source.classes,
    fields: { input: source.fields.pixel_values!, labels: source.fields.labels! },
    async batch(indices) {
      const { pixel_values: input, labels } = await source.batch(indices);
      return { input: input!, labels: labels! };
    },
  };
}

export const tinySparse = (methods: readonly TrainingMethod[], changes: Partial<TrainOptions> = {}) =>
  ({
    network: tinyMlp(),
    data: { train: images(96, 1), test: images(32, 2) },
    objective: classification(),
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: cosine({ base: 0.05 }),
    weightDecay: 1e-3,
    batchSize: 16,
    updates: 24,
    seed: 7,
    methods,
    session: { threads: 1 },
    ...changes,
  }) satisfies TrainOptions;

/** Runs a training and looks at it after each step; the watcher stands last among the methods. */
export function watch(
  method: TrainingMethod,
  look: (run: TrainingRun) => void,
  changes: Partial<TrainOptions> = {},
): Promise<TrainResult> {
  const watcher: TrainingMethod = { name: 'watcher', started: look, afterStep: look };
  return train(tinySparse([method, watcher], changes));
}

export const numbers = (tensor: Tensor): number[] => tensor.toNumbers() as number[];

export const ones = (values: Iterable<number>): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
};

/** Names of the masks of a training. */
export const maskNames = ({ names }: TrainingRun): string[] =>
  [...names].filter(name => name.startsWith('mask/'));

/** Weights that are there. */
export const kept = (run: TrainingRun): number =>
  maskNames(run).reduce((sum, name) => sum + ones(numbers(run.read(name))), 0);
