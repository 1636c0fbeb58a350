/**
 * Accuracy against the fraction of the parameters at its source's own scale, with every arm of the small study: ResNet-32
 * of double width on CIFAR-10. Wants a GPU and the binary version of CIFAR-10. It has not been run in full here.
 * Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021.
 *
 *     whittle study docs/studies/full-scale/sparse --set data=cifar-10-batches-bin
 *
 * Low-rank layers at 5%: docs/studies/full-scale/cifar.
 */
import { combine, levelsTo, readMethod } from 'whittle-nn/methods';
import { type Arm, defineStudy } from 'whittle-nn/study';
import { number, type ValuesOf } from 'whittle-nn/train';
import small from '../../sparse/study.js';
import { resNet32Scale, resNet32Settings } from '../cifar-training.js';
import { scaledArms, withDefault } from '../scaled.js';

const { interval, fineTune } = small.settings;

const settings = {
  ...resNet32Settings,
  interval: withDefault(interval, 100),
  fineTune,
  rate: number(0.2, {
    min: 0.01,
    max: 0.9,
    description: 'share of the weights that a lottery ticket loses with each level',
  }),
  rewind: number(0.05, { min: 0, max: 1, description: 'share of a level that a ticket does not repeat' }),
};
type Values = ValuesOf<typeof settings>;

const arms = scaledArms(small.arms, (values: Values) => ({
  ...values,
  // All of them.
  trainExamples: 50_000,
  scale: resNet32Scale(values),
}));

/** A ticket with the rate and the rewinding of the settings; `equal` shortens each level until the sum is one training. */
function ticket(share: number, equal: boolean): readonly [string, Arm<Values>] {
  const name = `lottery-${equal ? 'equal-' : ''}${100 * share}`;
  const { train: _, ...arm } = arms[name] as Extract<Arm<Values>, { train: unknown }>;
  return [
    name,
    {
      ...arm,
      async train(values, seed, needed) {
        const { epochs, rate, rewind } = values;
        const part = equal ? 1 / (1 + levelsTo(share, rate) * (1 - rewind)) : 1;
        const dense = arms.dense as Extract<Arm<Values>, { train: unknown }>;
        const options = `rate=${rate},rewind=${rewind},density=${share},counted=network`;
        return {
          ...(await dense.train({ ...values, epochs: part * epochs }, seed, needed)),
          methods: await combine([readMethod(`lottery:${options},dense=${share < 0.05 ? 'none' : 'ends'}`)]),
        };
      },
    },
  ];
}

export default defineStudy({
  title: 'Sparse, factorized and narrow networks on CIFAR-10',
  question: small.question,
  notes: [
    'A lottery ticket loses a fifth of its weights with each level, as in its paper: 11 levels lead to a tenth of the weights and 18 to a fiftieth, each nearly a whole training.',
    'Settings of the methods are those of their papers else; none was tuned.',
  ],
  claims: small.claims!,
  settings,
  places: ['data', 'provider'],
  seeds: 3,
  metric: small.metric,
  columns: small.columns!,
  reference: small.reference,
  plot: small.plot!,
  curves: small.curves!,
  arms: {
    ...arms,
    ...Object.fromEntries([0.25, 0.1, 0.02].flatMap(share => [ticket(share, false), ticket(share, true)])),
  },
});
