import type { Batch } from '../../src/datasets/dataset.js';
import { sizeOf, Tensor } from '../../src/graph/tensor.js';
import { conv2d } from '../../src/nn/layers/conv.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import { gpt2 } from '../../src/nn/models/gpt2.js';
import { mlp } from '../../src/nn/models/mlp.js';
import { vit } from '../../src/nn/models/vit.js';
import type { Network } from '../../src/nn/network.js';
import { replaceLayer } from '../../src/nn/replace-layer.js';
import { Random } from '../../src/random/random.js';
import {
  adamW,
  classification,
  languageModel,
  type Objective,
  type Optimizer,
  type Rates,
  sgd,
} from '../../src/train/index.js';

export interface TrainingModel {
  readonly name: string;
  readonly optimizer: Optimizer;
  readonly rates: Rates;
  readonly objective: Objective;
  /** Sizes of the network's symbolic dimensions. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly classes: number;
  readonly input: { readonly name: string; readonly dims: readonly number[] };
  readonly labelShape: readonly number[];
  build(): Network;
}

const SGD = {
  optimizer: sgd({ momentum: 0.9 }),
  rates: { learningRate: 0.01, weightDecay: 5e-4 },
  objective: classification(),
};
const ADAMW = {
  optimizer: adamW(),
  rates: { learningRate: 3e-4, weightDecay: 0.01 },
  objective: classification(),
};

const IMAGE = [3, 32, 32];
const GPT = { vocabulary: 256, features: 192, depth: 4, heads: 6, maxTokens: 128, dropout: 0 };

const resNet20 = (): Network => cifarResNet({ depth: 20, training: true, shortcut: 'conv' });

const images = (batch: number): Pick<TrainingModel, 'sizes' | 'classes' | 'input' | 'labelShape'> => ({
  sizes: { batch },
  classes: 10,
  input: { name: 'pixel_values', dims: [batch, ...IMAGE] },
  labelShape: [batch],
});

/** The models of the benchmark; `peers/train.py` has the same. */
export const MODELS: readonly TrainingModel[] = [
  { name: 'resnet20-b128', ...SGD, ...images(128), build: resNet20 },
  { name: 'resnet20-b32', ...SGD, ...images(32), build: resNet20 },
  { name: 'resnet20-lowrank-b128', ...SGD, ...images(128), build: () => lowRank(resNet20(), 0.25) },
  {
    name: 'vit-b64',
    ...ADAMW,
    ...images(64),
    build: () =>
      vit({
        imageSize: 32,
        patchSize: 4,
        classes: 10,
        features: 256,
        depth: 6,
        heads: 4,
        hiddenFeatures: 512,
        pool: 'mean',
        training: true,
      }),
  },
  {
    name: 'mlp-b128',
    ...SGD,
    classes: 10,
    sizes: { batch: 128 },
    input: { name: 'input', dims: [128, 784] },
    labelShape: [128],
    build: () => mlp({ widths: [784, 1024, 1024, 10], training: true }),
  },
  {
    name: 'gpt-b16',
    ...ADAMW,
    classes: 256,
    objective: languageModel(),
    sizes: { batch: 16, tokens: 128 },
    input: { name: 'input_ids', dims: [16, 128] },
    labelShape: [16, 128],
    build: () => gpt2({ ...GPT, training: true }),
  },
];

/** Each 3×3 convolution of 16 channels or more as a 1×3 and a 3×1 one, of a rank that is a share of its outputs. */
function lowRank(network: Network, share: number): Network {
  for (const layer of [...network.layers.values()]) {
    if (layer.kind !== 'conv' || layer.kernelSize[0] !== 3 || layer.inChannels < 16) continue;
    const { inChannels, outChannels } = layer;
    const stride = layer.stride[0]!;
    const rank = Math.max(1, Math.round(outChannels * share));
    replaceLayer(network, layer.path, (scope, { input: x }) => {
      const rows = conv2d(scope.at('v'), x, {
        inChannels,
        outChannels: rank,
        kernelSize: [1, 3],
        stride: [1, stride],
        padding: [0, 1],
        bias: false,
      });
      return conv2d(scope.at('u'), rows, {
        inChannels: rank,
        outChannels,
        kernelSize: [3, 1],
        stride: [stride, 1],
        padding: [1, 0],
        bias: false,
      });
    });
  }
  return network;
}

/** A batch of noise, and labels by chance. */
export function batchOf({ input, labelShape, classes }: TrainingModel): Batch {
  const random = new Random(1);
  const of = <T>(dims: readonly number[], one: () => T): T[] => Array.from({ length: sizeOf(dims) }, one);
  const label = (): number => random.integer(classes);
  const isText = input.name === 'input_ids';
  return {
    [input.name]: isText
      ? Tensor.int64(of(input.dims, label), input.dims)
      : Tensor.float32(
          input.dims,
          of(input.dims, () => random.normal()),
        ),
    labels: Tensor.int64(of(labelShape, label), labelShape),
  };
}
