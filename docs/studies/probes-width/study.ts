/**
 * How much over-parameterization optimizers and methods need: the smallest width of a perceptron with two equally wide
 * hidden layers that still fits its training images, by bisection.
 *
 *     whittle study docs/studies/probes-width
 */
import { combine, readMethod } from 'whittle-nn/methods';
import { type SmallestFit, smallestFit } from 'whittle-nn/probes';
import { type Arm, defineStudy, type Figures } from 'whittle-nn/study';
import { adamW, type ConfiguredTraining, number, type Optimizer, sgd } from 'whittle-nn/train';
import { perceptron, type Values as Shared, settings as shared, training } from '../perceptron.js';

const settings = {
  ...shared,
  epochs: number(60, { min: 0.01 }),
  trainExamples: { ...shared.trainExamples, fallback: 2000 },
  threshold: number(0.99, { min: 0, max: 1, description: 'training accuracy that counts as fitted' }),
};
type Values = Shared & { readonly threshold: number };

/** Steps of a factor √2. */
const WIDTHS = [4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512];

interface Kind {
  readonly label: string;
  readonly optimizer?: Optimizer;
  readonly rate?: number;
  readonly method?: string;
  readonly version?: number;
}

/** The training of one width. */
async function at(width: number, kind: Kind, values: Values, seed: number): Promise<ConfiguredTraining> {
  const { optimizer, rate, method } = kind;
  return {
    ...training(
      perceptron([width, width], seed),
      { ...values, learningRate: rate ?? values.learningRate },
      seed,
    ),
    ...(optimizer && { optimizer }),
    methods: method === undefined ? [] : await combine([readMethod(method)]),
    session: { threads: 1 },
  };
}

const WIDEST = WIDTHS.at(-1)!;

/**
 * Searches the width, and trains it once more as the run that is recorded. Where none fits, that is the widest: it has no
 * width then, but what the widest reached.
 */
function arm(kind: Kind): Arm<Values> {
  // Trained and measured in the same process.
  const found = new Map<number, SmallestFit>();
  return {
    label: kind.label,
    version: kind.version ?? 1,
    async train(values, seed) {
      const fit = await smallestFit({
        widths: WIDTHS,
        threshold: values.threshold,
        training: width => at(width, kind, values, seed),
      });
      found.set(seed, fit);
      return at(fit.width ?? WIDEST, kind, values, seed);
    },
    measure({ seed }): Figures {
      const { width, tried } = found.get(seed)!;
      if (width !== undefined) return { width };
      return { widest_reached: tried.find(({ width }) => width === WIDEST)!.reached };
    },
  };
}

export default defineStudy({
  title: 'The smallest width that fits',
  question:
    'With which optimizer or method does the narrowest perceptron fit its training images, that is, which needs the least over-parameterization?',
  notes: [
    'Two hidden layers of equal width on 2,000 images of Fashion-MNIST, 60 epochs: another budget moves all widths, and perhaps their order.',
    'Widths are found to a factor of √2, and a wider network is taken to fit where a narrower one does. One learning rate for each optimizer, not tuned.',
    `${WIDEST} is the widest that was tried. Where no width fits, there is none to compare or to test, and the other figures are those of the widest.`,
    'Methods keep the number of neurons and take weights away: parameters are those of the file.',
  ],
  claims: [
    {
      source: 'Gordon 2020',
      says: 'momentum, a better optimizer, makes do with fewer neurons than plain SGD',
      better: 'momentum',
      than: 'sgd',
    },
    {
      source: 'Gordon 2020',
      says: 'AdamW makes do with fewer neurons than plain SGD',
      better: 'adam',
      than: 'sgd',
    },
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'width', label: 'Width', betterIs: 'lower', format: 'number', absent: `> ${WIDEST}` },
  columns: [
    { figure: 'widest_reached', label: `Training accuracy at ${WIDEST}`, format: 'percent' },
    { figure: 'parameters' },
    { figure: 'accuracy', label: 'Test accuracy', format: 'percent' },
    { figure: 'cpu_seconds' },
  ],
  reference: 'momentum',
  arms: {
    momentum: arm({ label: 'SGD with momentum' }),
    sgd: arm({ label: 'SGD', optimizer: sgd(), version: 2 }),
    adam: arm({ label: 'AdamW', optimizer: adamW(), rate: 2e-3 }),
    'low-rank': arm({ label: 'Low rank, a quarter of the rank', method: 'low-rank:rule=scale,amount=0.25' }),
    rigl: arm({
      label: 'RigL, a quarter of the weights',
      method: 'rigl:density=0.25,dense=last,interval=25',
    }),
    l1: arm({ label: 'L1', method: 'l1:strength=1e-4' }),
    noise: arm({ label: 'Quantization noise', method: 'quantization-noise:bits=4,layers=all' }),
  },
});
