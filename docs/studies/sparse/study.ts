/**
 * Accuracy against the fraction of the parameters, of every way to get there by training: the figure of Khodak,
 * Tenenholtz, Mackey, Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021.
 *
 *     whittle study docs/studies/sparse
 *
 * One size alone: --only dense,narrow-10,rigl-10,… At the source's scale: --set depth=32 --set width=2
 * --set trainExamples=60000 --set epochs=200 --set interval=100.
 */
import { combine, levelsTo, readMethod } from 'whittle-nn/methods';
import { type Arm, defineStudy } from 'whittle-nn/study';
import { integer, number } from 'whittle-nn/train';
import * as images from '../fashion-mnist.js';
import { nonZeroParameters } from '../non-zero.js';

const settings = {
  ...images.settings,
  interval: integer(25, { min: 1, description: 'updates between changes of the masks' }),
  fineTune: number(0.25, { min: 0.01, description: 'epochs after pruning, as a share of those before' }),
};
type Values = images.Values & { readonly interval: number; readonly fineTune: number };

/** Shares of the parameters of the dense network. */
const SHARES = [0.25, 0.1, 0.02];

/** Share of the weights that a lottery ticket loses with each level, and the share of a level that is not repeated. */
const RATE = 0.5;
const REWIND = 0.05;
const lotteryCost = (share: number): number => 1 + levelsTo(share, RATE) * (1 - REWIND);

interface Kind {
  readonly label: string;
  /** As in `--method`, without what all have. */
  method(values: Values): string;
  /** Share of the usual epochs. */
  epochs?(share: number): number;
}

const moving = ({ interval }: Values): string => `interval=${interval}`;
const ticket = `lottery:rate=${RATE},rewind=${REWIND}`;

const SPARSE: Readonly<Record<string, Kind>> = {
  lottery: { label: 'Lottery ticket', method: () => ticket },
  'lottery-equal': {
    label: 'Lottery ticket, equal cost',
    method: () => ticket,
    epochs: share => 1 / lotteryCost(share),
  },
  hybrid: { label: 'Hybrid ticket', method: () => 'hybrid:retrain=1' },
  'hybrid-equal': { label: 'Hybrid ticket, equal cost', method: () => 'hybrid:retrain=1', epochs: () => 0.5 },
  magnitude: { label: 'Pruned at 80% of the training', method: () => 'magnitude:at=0.8' },
  gradual: { label: 'Gradual pruning', method: () => 'gradual:interval=10' },
  snip: { label: 'SNIP', method: () => 'snip:' },
  grasp: { label: 'GraSP', method: () => 'grasp:' },
  set: { label: 'SET', method: values => `set:${moving(values)}` },
  dsr: { label: 'DSR', method: values => `dsr:${moving(values)}` },
  momentum: { label: 'Sparse momentum', method: values => `sparse-momentum:${moving(values)}` },
  rigl: { label: 'RigL', method: values => `rigl:${moving(values)}` },
};

/** The dense network with a method, for a part of the usual epochs. */
async function trained(values: Values, seed: number, method: string, epochs = 1) {
  const network = images.resNet(values, values.width, seed);
  return {
    ...images.training(network, { ...values, epochs: epochs * values.epochs }, seed),
    methods: await combine([readMethod(method)]),
  };
}

/**
 * The share is one of all parameters, so that sparse, narrow and low-rank networks are of equal size. At 2% there is no
 * room for a dense first convolution and classifier.
 */
function density(method: string, share: number): string {
  const dense = share < 0.05 ? 'none' : 'ends';
  return `${method}${method.endsWith(':') ? '' : ','}density=${share},counted=network,dense=${dense}`;
}

const measure: Arm<Values>['measure'] = ({ network }) => ({ parameters: nonZeroParameters(network!) });

const groupOf = (share: number) => `About ${100 * share}% of the parameters`;

const sparse = (share: number, { label, method, epochs }: Kind): Arm<Values> => ({
  label: `${label}, ${100 * share}%`,
  series: label,
  group: groupOf(share),
  against: `narrow-${100 * share}`,
  train: (values, seed) => trained(values, seed, density(method(values), share), epochs?.(share)),
  measure,
});

/** Pruned once after the dense training, then fine-tuned: what a user does who has the trained network. */
const pruned = (share: number): Arm<Values> => ({
  label: `Pruned after training, ${100 * share}%`,
  series: 'Pruned after training',
  group: groupOf(share),
  against: `narrow-${100 * share}`,
  needs: 'dense',
  async train(values, seed, needed) {
    const { epochs, learningRate, fineTune } = values;
    const network = await (await needed('dense')).network();
    const shorter = { ...values, epochs: fineTune * epochs, learningRate: learningRate / 5 };
    return {
      ...images.training(network, shorter, seed),
      methods: await combine([readMethod(density('magnitude:at=0', share))]),
    };
  },
  async measure({ network, figures, needed }) {
    const before = (await needed('dense')).figures;
    return {
      parameters: nonZeroParameters(network!),
      updates: before.updates! + figures.updates!,
    };
  },
});

/** Factorized from the first step; 1×3 and 3×1 convolutions. */
const lowRank = (share: number, label: string, options: string): Arm<Values> => ({
  label: `${label}, ${100 * share}%`,
  series: label,
  group: groupOf(share),
  against: `narrow-${100 * share}`,
  train: (values, seed) => trained(values, seed, `low-rank:rule=parameters,amount=${share},${options}`),
});

/** Rank 1 throughout is 3.3% of the parameters. */
const factorized = (share: number): Readonly<Record<string, Arm<Values>>> =>
  share < 0.04
    ? {}
    : {
        [`plain-${100 * share}`]: lowRank(share, 'Low rank', 'init=plain,decay=weight'),
        [`si-fd-${100 * share}`]: lowRank(share, 'Low rank, SI + FD', 'init=spectral,decay=frobenius'),
      };

const ofSize = (share: number): Readonly<Record<string, Arm<Values>>> => ({
  [`narrow-${100 * share}`]: {
    label: `Dense, narrower, ${100 * share}%`,
    series: 'Dense, narrower',
    group: groupOf(share),
    // What all of its size are compared with, and what differs most from seed to seed.
    seeds: 7,
    train: (values, seed) => images.training(images.narrowNet(values, share, seed), values, seed),
  },
  ...factorized(share),
  ...Object.fromEntries(
    Object.entries(SPARSE).map(([name, kind]) => [`${name}-${100 * share}`, sparse(share, kind)]),
  ),
  [`pruned-${100 * share}`]: pruned(share),
});

export default defineStudy({
  title: 'Sparse, factorized and narrow networks from scratch',
  question:
    'At the same number of parameters, which way to train a small ResNet reaches the best accuracy: narrower, factorized, or with masks, and is a method that trains longer worth its cost?',
  notes: [
    ...images.NOTES,
    'Parameters of a masked network are those that are not zero; where they lie is not counted. Its file and its FLOPs are those of the dense network, so that neither is shown.',
    'Updates are those of the whole way: a lottery ticket trains once for each level, a hybrid ticket twice, pruning after training includes the dense training, pruning at 80% of it is the same for no more updates. “Equal cost” shortens each round until the sum is that of the others. An update of a masked network costs what one of the dense network does. CPU time of pruning after training is without the dense training.',
    'The narrower networks have seven seeds instead of three: they differ most from seed to seed, and the others are compared with them. The four were added when the first three were known.',
    'At 2% low-rank layers are missing: rank 1 throughout is more than that.',
    'At 2% sparse momentum diverges for two of three seeds at the learning rate that all arms have.',
    'Masks change every 25 updates and not every 100 or more, as the training has some 600; tickets halve with each level, where the paper removes a fifth.',
    'Settings of the methods are those of their papers else, tuned on other networks; none was tuned here.',
  ],
  claims: [
    {
      source: 'Zhu & Gupta 2017',
      says: 'a wide network pruned while it trains beats a narrow one, at a quarter of the parameters',
      better: 'gradual-25',
      than: 'narrow-25',
    },
    {
      source: 'Zhu & Gupta 2017',
      says: 'a wide network pruned while it trains beats a narrow one, at a tenth',
      better: 'gradual-10',
      than: 'narrow-10',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'low rank with SI and FD beats masks fixed before training',
      better: 'si-fd-10',
      than: ['snip-10', 'grasp-10'],
    },
    {
      source: 'Khodak et al. 2021',
      says: 'low rank with SI and FD beats masks that move',
      better: 'si-fd-10',
      than: ['set-10', 'dsr-10', 'momentum-10', 'rigl-10'],
    },
    { source: 'Evci et al. 2020', says: 'RigL beats SET', better: 'rigl-10', than: 'set-10' },
    { source: 'Evci et al. 2020', says: 'RigL beats SNIP', better: 'rigl-10', than: 'snip-10' },
    {
      source: 'Evci et al. 2020',
      says: 'RigL is as good as gradual pruning',
      noWorse: 'rigl-10',
      than: 'gradual-10',
    },
    { source: 'Mostafa & Wang 2019', says: 'DSR beats SET', better: 'dsr-10', than: 'set-10' },
    {
      source: 'Dettmers & Zettlemoyer 2019',
      says: 'sparse momentum beats SET',
      better: 'momentum-10',
      than: 'set-10',
    },
    {
      source: 'Wang et al. 2020',
      says: 'GraSP beats SNIP where few weights are left',
      better: 'grasp-2',
      than: 'snip-2',
    },
    {
      source: 'Su et al. 2020',
      says: 'hybrid tickets beat SNIP and GraSP',
      better: 'hybrid-equal-10',
      than: ['snip-10', 'grasp-10'],
    },
    {
      source: 'Frankle et al. 2021',
      says: 'pruning after training beats SNIP and GraSP',
      better: 'pruned-10',
      than: ['snip-10', 'grasp-10'],
    },
    {
      source: 'Frankle & Carbin 2019',
      says: 'a lottery ticket is as good as the dense network',
      noWorse: 'lottery-25',
      than: 'dense',
    },
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  columns: [
    { figure: 'parameters' },
    { figure: 'updates', label: 'Updates', format: 'count' },
    { figure: 'cpu_seconds' },
  ],
  reference: 'dense',
  plot: { x: { figure: 'parameters' }, log: true, worst: 0.7 },
  curves: ['density'],
  arms: {
    dense: {
      label: 'Dense',
      series: 'Dense, narrower',
      train: (values, seed) => images.training(images.resNet(values, values.width, seed), values, seed),
    },
    ...Object.assign({}, ...SHARES.map(ofSize)),
  },
});
