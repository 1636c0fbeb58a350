/**
 * Source: Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021.
 *
 *     whittle study docs/studies/low-rank
 */
import { factorDiagnostics, type LowRankTrainingOptions, lowRank } from 'whittle-nn/methods/factorized';
import { defineStudy } from 'whittle-nn/study';
import { NOTES, narrowNet, resNet, settings, training, type Values } from '../fashion-mnist.js';

/** Factorized at this share of the dense network's parameters: 3×3 kernels as 1×3 and 3×1 convolutions. */
const factorized = (
  share: number,
  name: string,
  options: Pick<LowRankTrainingOptions, 'init' | 'decay'>,
) => ({
  label: `${name}, ${100 * share}%`,
  series: name,
  group: `About ${100 * share}% of the parameters`,
  against: `narrow-${100 * share}`,
  train: (values: Values, seed: number) => ({
    ...training(resNet(values, values.width, seed), values, seed),
    methods: [
      lowRank({ rank: { parameters: share }, ...options }),
      factorDiagnostics({ every: 78, layers: false }),
    ],
  }),
});

/** The arms of one size. Without Frobenius decay, factors have ordinary weight decay. */
const ofSize = (share: number) => ({
  [`narrow-${100 * share}`]: {
    label: `Dense, narrower, ${100 * share}%`,
    series: 'Dense, narrower',
    group: `About ${100 * share}% of the parameters`,
    train: (values: Values, seed: number) => training(narrowNet(values, share, seed), values, seed),
  },
  [`plain-${100 * share}`]: factorized(share, 'Low rank', { init: 'plain', decay: 'weight' }),
  [`si-${100 * share}`]: factorized(share, 'Low rank, SI', { init: 'spectral', decay: 'weight' }),
  [`fd-${100 * share}`]: factorized(share, 'Low rank, FD', { init: 'plain', decay: 'frobenius' }),
  [`si-fd-${100 * share}`]: factorized(share, 'Low rank, SI + FD', { init: 'spectral', decay: 'frobenius' }),
});

export default defineStudy({
  title: 'Low-rank training: spectral initialization and Frobenius decay',
  question:
    'Does a ResNet trained in factorized form reach a better accuracy than a narrower dense one of equal size, and what do spectral initialization (SI) and Frobenius decay (FD) add?',
  notes: [
    ...NOTES,
    'The source trains ResNet-32 of double width on CIFAR for 200 epochs, at 10% and less of its parameters.',
  ],
  claims: [
    {
      source: 'Khodak et al. 2021',
      says: 'at a tenth of the parameters, SI and FD together beat plain low rank',
      better: 'si-fd-10',
      than: 'plain-10',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'SI and FD together beat either of them alone',
      better: 'si-fd-10',
      than: ['si-10', 'fd-10'],
    },
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'dense',
  plot: { x: { figure: 'parameters' }, log: true },
  curves: [
    'factors/nuclear',
    'factors/bound',
    'factors/tightness',
    'factors/stable_rank',
    'factors/effective_step',
  ],
  arms: {
    dense: {
      label: 'Dense',
      series: 'Dense, narrower',
      train: (values, seed) => training(resNet(values, values.width, seed), values, seed),
    },
    ...ofSize(0.25),
    ...ofSize(0.1),
  },
});
