/**
 * Low-rank training at the source's own scale: ResNet-32 of double width, ResNet-56, ResNet-110 and VGG-19 on CIFAR-10
 * and CIFAR-100. Wants a GPU and the binary version of CIFAR. It has not been run in full here.
 * Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021.
 *
 *     whittle study docs/studies/full-scale/cifar --set network=vgg-19 --set data=cifar-10-batches-bin
 */
import { loadCifar10, loadCifar100 } from 'whittle-nn/datasets/node';
import { lowRank } from 'whittle-nn/methods/factorized';
import { cifarResNet, type Network, vgg } from 'whittle-nn/nn';
import { defineStudy, type TrainingArm } from 'whittle-nn/study';
import {
  type ConfiguredTraining,
  choice,
  integer,
  number,
  text,
  type ValuesOf,
  warmup,
} from 'whittle-nn/train';
import { cifarTraining } from '../cifar-training.js';

const settings = {
  data: text('cifar-10-batches-bin', 'folder of the .bin files'),
  classes: choice('10', ['10', '100'], 'CIFAR-10 or CIFAR-100'),
  network: choice('resnet-32x2', ['resnet-32x2', 'resnet-56', 'resnet-110', 'vgg-19']),
  width: number(1, { min: 0.02, description: 'multiplies all widths; below 1 for trials' }),
  epochs: number(200, { min: 0.001 }),
  batchSize: integer(128, { min: 1 }),
  learningRate: number(0.1, { min: 0 }),
  provider: choice('cuda', ['cuda', 'cpu']),
};
type Values = ValuesOf<typeof settings>;

function networkOf({ network, width, classes: count }: Values, seed: number): Network {
  const common = { classes: Number(count), training: true, seed };
  switch (network) {
    case 'resnet-32x2':
      return cifarResNet({ depth: 32, width: 2 * width, ...common });
    case 'resnet-56':
      return cifarResNet({ depth: 56, width, ...common });
    case 'resnet-110':
      return cifarResNet({ depth: 110, width, ...common });
    case 'vgg-19':
      return vgg({ depth: 19, head: 'cifar', width, ...common });
  }
}

function training(values: Values, seed: number): ConfiguredTraining {
  const { data, classes, network, batchSize, provider } = values;
  const load = classes === '10' ? loadCifar10 : loadCifar100;
  const train = load(data, 'train');
  const perEpoch = Math.floor(train.length / batchSize);
  const recipe = { ...values, weightDecay: network === 'vgg-19' ? 2e-4 : 1e-4 };
  return {
    ...cifarTraining(networkOf(values, seed), { train, test: load(data, 'test') }, recipe, seed, falling =>
      // The source's deep networks begin with an epoch at a tenth of the rate.
      /56|110/.test(network) ? warmup({ updates: perEpoch, start: 0.1 }, falling) : falling,
    ),
    session: { provider },
  };
}

const factorized = (
  share: number,
  label: string,
  init: 'plain' | 'spectral',
  decay: 'weight' | 'frobenius',
): TrainingArm<Values> => ({
  label: `${label}, ${100 * share}%`,
  group: `About ${100 * share}% of the parameters`,
  series: label,
  train: (values, seed) => ({
    ...training(values, seed),
    methods: [lowRank({ rank: { parameters: share }, init, decay })],
  }),
});

const ofSize = (share: number) => ({
  [`plain-${100 * share}`]: factorized(share, 'Low rank', 'plain', 'weight'),
  [`si-${100 * share}`]: factorized(share, 'Low rank, SI', 'spectral', 'weight'),
  [`fd-${100 * share}`]: factorized(share, 'Low rank, FD', 'plain', 'frobenius'),
  [`si-fd-${100 * share}`]: factorized(share, 'Low rank, SI + FD', 'spectral', 'frobenius'),
});

export default defineStudy({
  title: 'Low-rank training on CIFAR',
  question:
    'Does a network trained in factorized form with spectral initialization and Frobenius decay keep the accuracy of the dense one?',
  settings,
  places: ['data', 'provider'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'dense',
  plot: { x: { figure: 'parameters' }, log: true },
  arms: {
    dense: { label: 'Dense', train: training },
    ...ofSize(0.1),
    ...ofSize(0.05),
    ...ofSize(0.02),
  },
});
