/**
 * Source: Khodak, Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021,
 * section 5.
 *
 *     whittle study docs/studies/overcomplete
 */
import { collapse, overcompleteTraining } from 'whittle-nn/methods/factorized';
import { cloneNetwork, exportForInference, type Network } from 'whittle-nn/nn';
import { defineStudy, type TrainingArm } from 'whittle-nn/study';
import { number } from 'whittle-nn/train';
import { type Values as Common, settings as common, NOTES, resNet, training } from '../fashion-mnist.js';

const settings = {
  ...common,
  rank: number(2, { min: 1, description: 'of wide factors, as a multiple of the full rank' }),
};
type Values = Common & { rank: number };

function collapsed(network: Network): Network {
  const copy = cloneNetwork(network);
  collapse(copy);
  return copy;
}

/** Trained as a product of factors, exported as the plain network that it amounts to. */
const overcomplete = (
  form: 'wide' | 'deep',
  decay: 'weight' | 'frobenius' | 'none',
): TrainingArm<Values> => ({
  label: `${form === 'wide' ? 'Wide U Vᵀ' : 'Deep U M Vᵀ'}, ${DECAYS[decay]}`,
  group: form === 'wide' ? 'Overcomplete, wide' : 'Overcomplete, deep',
  train: (values, seed) => ({
    ...training(resNet(values, values.width, seed), values, seed),
    methods: [overcompleteTraining({ form, width: form === 'wide' ? values.rank : 1, decay })],
  }),
  export: network => exportForInference(collapsed(network)),
  measure: ({ network }) => ({
    parameters: collapsed(network!).parameterCount(),
    parameters_in_training: network!.parameterCount(),
  }),
});

const DECAYS = { weight: 'weight decay', frobenius: 'Frobenius decay', none: 'no decay' } as const;

export default defineStudy({
  title: 'Overcomplete training',
  question:
    'Does a ResNet become more accurate when its weights are products of wide or of three factors while it trains, and does it come near a net of twice the depth?',
  notes: [
    ...NOTES,
    'Overcomplete networks are measured after their factors were multiplied: size and operations are those of the plain network.',
    'The source trains ResNet-32, 56 and 110 on CIFAR and Tiny-ImageNet.',
  ],
  claims: [
    {
      source: 'Khodak et al. 2021',
      says: 'wide factors with Frobenius decay beat the plain network',
      better: 'wide-frobenius',
      than: 'plain',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'deep factors with Frobenius decay beat the plain network',
      better: 'deep-frobenius',
      than: 'plain',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'Frobenius decay beats weight decay in wide factors',
      better: 'wide-frobenius',
      than: 'wide-weight',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'Frobenius decay beats weight decay in deep factors',
      better: 'deep-frobenius',
      than: 'deep-weight',
    },
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'plain',
  arms: {
    plain: {
      label: 'Plain',
      train: (values, seed) => training(resNet(values, values.width, seed), values, seed),
    },
    'plain-none': {
      label: 'Plain, no decay',
      train: (values, seed) => ({
        ...training(resNet(values, values.width, seed), values, seed),
        weightDecay: 0,
      }),
    },
    'twice-as-deep': {
      label: 'Plain, twice the blocks',
      train: (values, seed) =>
        training(resNet({ ...values, depth: 2 * values.depth - 2 }, values.width, seed), values, seed),
    },
    'wide-weight': overcomplete('wide', 'weight'),
    'wide-frobenius': overcomplete('wide', 'frobenius'),
    'wide-none': overcomplete('wide', 'none'),
    'deep-weight': overcomplete('deep', 'weight'),
    'deep-frobenius': overcomplete('deep', 'frobenius'),
    'deep-none': overcomplete('deep', 'none'),
  },
});
