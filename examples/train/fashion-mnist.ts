/**
 * A slim ResNet-20 on Fashion-MNIST:
 *
 *     whittle train examples/train/fashion-mnist.ts --resume
 *
 * The data are in Debian's and Ubuntu's package `dataset-fashion-mnist`; elsewhere get the four files from
 * https://github.com/zalandoresearch/fashion-mnist and give their folder: --set data=FOLDER
 */
import { loadFashionMnist } from 'whittle-nn/datasets/node';
import { cifarResNet } from 'whittle-nn/nn';
import {
  classification,
  cosine,
  defineTraining,
  integer,
  number,
  randomCrop,
  randomFlip,
  sgd,
  text,
  warmup,
} from 'whittle-nn/train';

export default defineTraining({
  settings: {
    data: text('/usr/share/datasets/fashion-mnist', 'folder of the idx files'),
    depth: integer(20, { description: '6n + 2' }),
    width: number(0.5, { min: 0.05, description: 'share of the usual 16, 32 and 64 channels' }),
    epochs: number(15, { min: 0.01 }),
    batchSize: integer(128, { min: 1 }),
    learningRate: number(0.1, { min: 0 }),
    weightDecay: number(5e-4, { min: 0 }),
    seed: integer(0),
  },
  build({ data, depth, width, epochs, batchSize, learningRate, weightDecay, seed }) {
    const train = loadFashionMnist(data, 'train');
    const [channels, imageSize] = train.shape;
    // Black, as it is after normalization.
    const black = [-train.normalization.mean[0]! / train.normalization.std[0]!];
    return {
      network: cifarResNet({ depth, width, channels, imageSize, classes: 10, training: true, seed }),
      data: { train, test: loadFashionMnist(data, 'test') },
      objective: classification(),
      optimizer: sgd({ momentum: 0.9, nesterov: true }),
      learningRate: warmup({ updates: 200 }, cosine({ base: learningRate })),
      weightDecay,
      transforms: [randomCrop({ padding: 2, fill: black }), randomFlip()],
      evaluation: { goal: { metric: 'accuracy', betterIs: 'higher' } },
      checkpointEvery: 200,
      batchSize,
      epochs,
      seed,
    };
  },
});
