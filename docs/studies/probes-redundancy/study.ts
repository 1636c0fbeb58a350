/**
 * Which penalty leaves which redundancy behind: the same network trained under each penalty, and then pruned,
 * narrowed, factorized, quantized and clustered as far as one point of accuracy below the unpenalized network allows.
 *
 *     whittle study docs/studies/probes-redundancy
 */
import { combine, readMethod } from 'whittle-nn/methods';
import { collapse } from 'whittle-nn/methods/factorized';
import { cloneNetwork, exportForInference, type Network } from 'whittle-nn/nn';
import { redundancy } from 'whittle-nn/probes';
import { type Arm, defineStudy, type TrainedArm } from 'whittle-nn/study';
import { number } from 'whittle-nn/train';
import { perceptron, type Values as Shared, settings as shared, training } from '../perceptron.js';

const settings = {
  ...shared,
  tolerance: number(0.01, {
    min: 0,
    description: 'accuracy that may be lost against the unpenalized network',
  }),
};
type Values = Shared & { readonly tolerance: number };

/** Without the form that a network trained in. */
function plain(network: Network): Network {
  const copy = cloneNetwork(network);
  collapse(copy);
  return copy;
}

/** The least accuracy: the same for all arms of a seed. */
async function floor(
  { settings, evaluation, needed }: TrainedArm<Values>,
  isPlain: boolean,
): Promise<number> {
  const accuracy = isPlain ? evaluation.accuracy : (await needed('none')).figures.accuracy;
  return accuracy! - settings.tolerance;
}

const measured =
  (isPlain = false): NonNullable<Arm<Values>['measure']> =>
  async trained => {
    const least = await floor(trained, isPlain);
    return redundancy(plain(trained.network!), {
      holds: async network => (await trained.evaluate(exportForInference(network))).accuracy! >= least,
    });
  };

const penalized = (
  label: string,
  method: string | undefined,
  { weightDecay = 0, version = 1 } = {},
): Arm<Values> => ({
  label,
  version,
  needs: 'none',
  train: async (values, seed) => ({
    ...training(perceptron([300, 100], seed), values, seed),
    weightDecay,
    methods: method === undefined ? [] : await combine([readMethod(method)]),
  }),
  export: network => exportForInference(plain(network)),
  measure: measured(),
});

/** Stands for a run that is below the floor before anything is taken. */
const absent = 'not reached';

export default defineStudy({
  title: 'What penalties leave behind',
  question:
    'When the same network is trained under different penalties, how far can it be pruned, narrowed, factorized, quantized and clustered afterwards at equal accuracy?',
  notes: [
    'LeNet-300-100, whose weights are nine tenths in the first layer; the classifier (1,000 weights) is left as it is. Another architecture may show another table.',
    'Equal accuracy is that of the unpenalized network of the same seed less one point, on the test set, which also decides how far each squeeze goes: the table describes these weights and does not promise the same on other images.',
    'A penalty that costs a point by itself leaves nothing to measure: such a run has no figures (“not reached”), and means are of the others, those that lost less.',
    'Each squeeze stands alone and is as plain as it can be: the largest weights of all layers; neurons by the size of their weights; one relative error for the ranks of all layers; equal steps between the largest weight of a row and its negative; k-means of a layer. Nothing is retrained or corrected.',
    'A sixth of the training images and half of the test images. One strength of each penalty, chosen beforehand and not tuned: a stronger or weaker one moves its row.',
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  columns: [
    { figure: 'pruned', label: 'Weights kept', format: 'percent', absent },
    { figure: 'narrowed', label: 'Neurons kept', format: 'percent', absent },
    { figure: 'factorized', label: 'Factors', format: 'percent', absent },
    { figure: 'quantized', label: 'Bits, rounded', format: 'number', absent },
    { figure: 'clustered', label: 'Bits, clustered', format: 'number', absent },
    { figure: 'cpu_seconds' },
  ],
  reference: 'none',
  arms: {
    none: {
      label: 'No penalty',
      train: (values, seed) => training(perceptron([300, 100], seed), values, seed),
      measure: measured(true),
    },
    l2: penalized('L2', undefined, { weightDecay: 5e-3 }),
    l1: penalized('L1', 'l1:strength=5e-4'),
    'group-lasso': penalized('Group lasso, neurons', 'group-lasso:strength=5e-4'),
    nuclear: penalized('Nuclear norm', 'nuclear:strength=1e-2'),
    frobenius: penalized('Frobenius decay of factors', 'overcomplete:form=wide,decay=frobenius', {
      weightDecay: 5e-3,
      version: 2,
    }),
    orthogonal: penalized('Orthogonality', 'orthogonality:strength=3e-2'),
    noise: penalized('Quantization noise', 'quantization-noise:bits=2,rate=0.3', {
      version: 2,
    }),
  },
});
