import { ImageArray } from '../../src/datasets/index.js';
import type { Network } from '../../src/nn/index.js';
import { Network as Built, batchNorm, conv2d, dropout, linear, relu, Scope } from '../../src/nn/index.js';
import { Random } from '../../src/random/random.js';
import {
  classification,
  cosine,
  randomCrop,
  randomFlip,
  reduceOnPlateau,
  sgd,
  type TrainOptions,
  weightAverage,
} from '../../src/train/index.js';

/** Noise with a bright half, upper or lower: two classes that a tiny network tells apart. */
export function brightHalves(length: number, seed: number): ImageArray {
  const random = new Random(seed);
  const labels = Array.from({ length }, () => random.integer(2));
  const pixels = Uint8Array.from({ length: length * 36 }, (_, i) => {
    const upper = i % 36 < 18;
    const bright = upper === (labels[Math.floor(i / 36)] === 0);
    return random.integer(150) + (bright ? 100 : 0);
  });
  return new ImageArray({
    pixels,
    labels,
    shape: [1, 6, 6],
    normalization: { mean: [0.5], std: [0.25] },
    classes: ['upper', 'lower'],
  });
}

/** Convolution, BatchNorm, dropout, a linear layer: a bit of all that a resume must keep. */
export function tinyNetwork(classes = 2): Network {
  const network = new Built({ training: true, seed: 5 });
  const scope = new Scope(network);
  const images = network.input('pixel_values', 'float32', ['batch', 1, 6, 6]);
  const maps = conv2d(scope.at('conv'), images, {
    inChannels: 1,
    outChannels: 8,
    kernelSize: 3,
    stride: 3,
    bias: false,
  });
  const x = relu(scope, batchNorm(scope.at('bn'), maps, { features: 8 })); // (batch, 8, 2, 2)
  const flat = scope.reshape(x, 0, 32);
  network.output(
    'logits',
    linear(scope.at('fc'), dropout(scope, flat, 0.3), { inFeatures: 32, outFeatures: classes }),
  );
  return network;
}

/** A training with a share of everything: augmentation, dropout, averages, a schedule that waits. */
export const tinyTraining = (changes: Partial<TrainOptions> = {}): TrainOptions => ({
  network: tinyNetwork(),
  data: { train: brightHalves(150, 1), test: brightHalves(60, 2) },
  objective: classification({ labelSmoothing: 0.1 }),
  optimizer: sgd({ momentum: 0.9, nesterov: true }),
  methods: [weightAverage({ decay: 0.9 })],
  learningRate: cosine({ base: 0.1 }),
  weightDecay: reduceOnPlateau({ base: 1e-3, patience: 0, factor: 0.5 }),
  transforms: [randomCrop({ padding: 1 }), randomFlip()],
  evaluation: { goal: { metric: 'accuracy', betterIs: 'higher' } },
  clip: { norm: 2 },
  batchSize: 16,
  epochs: 4,
  seed: 11,
  session: { threads: 1 },
  ...changes,
});
