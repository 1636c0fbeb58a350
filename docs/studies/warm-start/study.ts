/**
 * Source: Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021,
 * against Wang, Agarwal, Papailiopoulos, "Pufferfish", MLSys 2021.
 *
 *     whittle study docs/studies/warm-start
 */
import { lowRank } from 'whittle-nn/methods/factorized';
import { defineStudy, type TrainingArm } from 'whittle-nn/study';
import { type ConfiguredTraining, partOf } from 'whittle-nn/train';
import { NOTES, resNet, settings, training, type Values } from '../fashion-mnist.js';

const WARM_EPOCHS = [1, 2, 4];
const SHARES = [0.25, 0.1];

/** Updates of so many epochs, counted as the training counts them. */
const updatesOf = ({ trainExamples, batchSize }: Values, epochs: number): number =>
  Math.max(1, Math.round(epochs * Math.floor(trainExamples / batchSize)));

/** Updates [from, to) of the whole training, with the learning rates that it has there. */
function part(whole: ConfiguredTraining, values: Values, from: number, to: number): ConfiguredTraining {
  const { epochs: _, ...rest } = whole;
  const updates = updatesOf(values, values.epochs);
  return { ...rest, learningRate: partOf(whole.learningRate, { from, updates }), updates: to - from };
}

/** `--set epochs` may be less than a warm start takes: then its dense part ends an update before the whole. */
const switchAt = (values: Values, epochs: number): number =>
  Math.min(updatesOf(values, epochs), updatesOf(values, values.epochs) - 1);

const denseFor = (epochs: number): TrainingArm<Values> => ({
  label: `Dense, the first ${epochs === 1 ? 'epoch' : `${epochs} epochs`}`,
  group: 'What the warm starts begin with',
  against: null,
  train: (values, seed) =>
    part(training(resNet(values, values.width, seed), values, seed), values, 0, switchAt(values, epochs)),
});

const grouped = (share: number) => ({
  group: `About ${100 * share}% of the parameters`,
  against: `si-${100 * share}`,
});

const warm = (epochs: number, share: number): TrainingArm<Values> => ({
  label: `Dense for ${epochs === 1 ? 'an epoch' : `${epochs} epochs`}, then ${100 * share}%`,
  ...grouped(share),
  needs: `dense-${epochs}`,
  async train(values, seed, needed) {
    const network = await (await needed(`dense-${epochs}`)).network();
    // Another order of the data than in the dense part.
    const whole = training(network, values, seed + 1000);
    return {
      ...part(whole, values, switchAt(values, epochs), updatesOf(values, values.epochs)),
      methods: [lowRank({ rank: { parameters: share } })],
    };
  },
  async measure({ settings, needed }) {
    const { figures } = await needed(`dense-${epochs}`);
    return { updates: updatesOf(settings, settings.epochs), dense_accuracy: figures.accuracy! };
  },
});

const fromTheStart = (share: number): TrainingArm<Values> => ({
  label: `Spectral initialization, ${100 * share}%`,
  group: `About ${100 * share}% of the parameters`,
  against: 'dense',
  train: (values, seed) => ({
    ...training(resNet(values, values.width, seed), values, seed),
    methods: [lowRank({ rank: { parameters: share } })],
  }),
});

export default defineStudy({
  title: 'Warm start or spectral initialization',
  question:
    'Is a ResNet better that is trained as a dense one for some epochs and factorized then, than one that is factorized from the first step on?',
  notes: [
    ...NOTES,
    'All arms make the same number of updates in all, on one schedule of the learning rate; momentum begins anew where the network is factorized. CPU time of a warm start is that of its second part.',
    'The source compares with factors drawn at random and with weight decay; here factors from the start are spectral ones, and the source leaves the first layers dense.',
    'Factors have Frobenius decay throughout, and ranks that meet a budget of parameters.',
  ],
  claims: [
    // Two of eight epochs, as 80 of 300 in the source.
    {
      source: 'Wang et al. 2021',
      says: 'dense epochs first beat factors from the start, at a quarter of the parameters',
      better: 'warm-2-25',
      than: 'si-25',
    },
    {
      source: 'Wang et al. 2021',
      says: 'dense epochs first beat factors from the start, at a tenth of the parameters',
      better: 'warm-2-10',
      than: 'si-10',
    },
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  columns: ['parameters', 'bytes', 'flops', 'updates', 'cpu_seconds'].map(figure => ({ figure })),
  reference: 'dense',
  arms: {
    dense: {
      label: 'Dense',
      train: (values, seed) => training(resNet(values, values.width, seed), values, seed),
    },
    ...Object.fromEntries(WARM_EPOCHS.map(epochs => [`dense-${epochs}`, denseFor(epochs)])),
    ...Object.fromEntries(
      SHARES.flatMap(share => [
        [`si-${100 * share}`, fromTheStart(share)],
        ...WARM_EPOCHS.map(epochs => [`warm-${epochs}-${100 * share}`, warm(epochs, share)] as const),
      ]),
    ),
  },
});
