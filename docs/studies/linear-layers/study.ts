/**
 * Do structured linear layers beat narrower dense ones? catid's table A–I on a small vision transformer, and the same
 * places with low-rank layers that start spectrally and have Frobenius decay.
 *
 *     whittle study docs/studies/linear-layers
 *
 * Fashion-MNIST: `apt install dataset-fashion-mnist`, or --set data=FOLDER.
 *
 * At full scale, as published for CIFAR-10: docs/studies/full-scale/linear-layers.
 */
import { subset } from 'whittle-nn/datasets';
import { loadFashionMnist } from 'whittle-nn/datasets/node';
import type { Model } from 'whittle-nn/graph';
import { Tensor } from 'whittle-nn/graph';
import { lowRank } from 'whittle-nn/methods/factorized';
import {
  dyadMethod,
  rankFor,
  selectLinearLayers,
  stackedKroneckerMethod,
} from 'whittle-nn/methods/structured';
import { xTransformersVit } from 'whittle-nn/nn';
import { encodeToBytes } from 'whittle-nn/onnx';
import { createSession } from 'whittle-nn/runtime';
import { type Arm, defineStudy } from 'whittle-nn/study';
import {
  adamW,
  type ConfiguredTraining,
  classification,
  cosine,
  integer,
  number,
  randomCrop,
  randomFlip,
  type TrainingMethod,
  text,
  type ValuesOf,
  warmup,
} from 'whittle-nn/train';

const settings = {
  data: text('/usr/share/datasets/fashion-mnist', 'folder of the idx files'),
  patchSize: integer(7, { min: 1, description: 'must divide 28' }),
  features: integer(64, { min: 8, description: 'width of the tokens' }),
  depth: integer(2, { min: 1, description: 'attentions; each stands between two feed-forward layers' }),
  heads: integer(4, { min: 1 }),
  headDim: integer(16, { min: 1 }),
  fraction: number(0.5, { min: 0.01, max: 1, description: 'parameters left in a replaced layer' }),
  epochs: number(10, { min: 0.01 }),
  trainExamples: integer(10_000, { min: 128, max: 60_000 }),
  batchSize: integer(128, { min: 1 }),
  learningRate: number(2e-3, { min: 0 }),
  weightDecay: number(0.05, { min: 0 }),
};
export type Values = ValuesOf<typeof settings> & {
  /** What a study at full scale trains instead. */
  readonly scale?: (widths: Widths, seed: number) => ConfiguredTraining;
};

/** Shares of the widths that layers have in the dense network. */
export interface Widths {
  /** Of feed-forward layers. */
  readonly ffn: number;
  /** Of the heads of attention. */
  readonly heads: number;
}

const WHOLE: Widths = { ffn: 1, heads: 1 };

/** What all arms have in common. */
function training(
  values: Values,
  seed: number,
  widths: Widths,
  methods: TrainingMethod[],
): ConfiguredTraining {
  if (values.scale) return { ...values.scale(widths, seed), methods };
  const { data, features, depth, heads, headDim, patchSize } = values;
  const { epochs, trainExamples, batchSize, learningRate, weightDecay } = values;
  const train = loadFashionMnist(data, 'train');
  const black = [-train.normalization.mean[0]! / train.normalization.std[0]!];
  const updates = (epochs * trainExamples) / batchSize;
  return {
    network: xTransformersVit({
      imageSize: 28,
      channels: 1,
      classes: 10,
      patchSize,
      features,
      depth,
      heads,
      headDim: Math.round(widths.heads * headDim),
      hiddenFeatures: Math.round(4 * widths.ffn * features),
      training: true,
      seed,
    }),
    data: {
      // The files are in random order.
      train: subset(
        train,
        Array.from({ length: trainExamples }, (_, i) => i),
      ),
      test: loadFashionMnist(data, 'test'),
    },
    objective: classification(),
    optimizer: adamW(),
    methods,
    learningRate: warmup({ updates: Math.min(100, updates / 10) }, cosine({ base: learningRate })),
    weightDecay,
    transforms: [randomCrop({ padding: 2, fill: black }), randomFlip()],
    evaluation: { every: epochs },
    batchSize,
    epochs,
    seed,
  };
}

/** Median milliseconds of a batch of 128 images on one thread. */
async function inferenceTime(model: Model): Promise<number> {
  const session = await createSession(encodeToBytes(model), { threads: 1 });
  const pixel_values = Tensor.float32([128, 1, 28, 28], new Float32Array(128 * 28 * 28));
  const times: number[] = [];
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    await session.run({ pixel_values });
    times.push(performance.now() - start);
  }
  await session.release();
  return times.sort((a, b) => a - b)[15]!;
}

const measure: Arm<Values>['measure'] = async ({ model }) => ({ run_ms: await inferenceTime(model) });

/** Where layers are replaced. The letters are those of the source's table. */
const PLACES = {
  ffn: 'both feed-forward layers',
  'ffn-in': 'FFN-in',
  'ffn-out': 'FFN-out',
  'attention-out': 'attention-out',
  attention: 'all attention',
} as const;
type Place = keyof typeof PLACES;

const start = 'variance';

/** Low-rank layers by rank reduction's rule; `plain` is what the source did, the other what it never tried. */
const lowRankAt =
  (init: 'plain' | 'spectral') =>
  (layers: Place, { fraction }: Values): TrainingMethod => {
    const decay = init === 'spectral' ? 'frobenius' : 'weight';
    // The ranks are known once there is a network; all layers of a place have the same two widths.
    let inner: TrainingMethod | undefined;
    const policy = (network: Parameters<NonNullable<TrainingMethod['prepare']>>[0]) => {
      const chosen = selectLinearLayers(network, layers);
      const paths = new Set(chosen.map(({ path }) => path));
      const rank = rankFor(chosen[0]!, fraction);
      return lowRank({ rank: { rank }, layers: layer => paths.has(layer.path), init, decay });
    };
    return {
      name: 'low-rank',
      prepare(network) {
        inner = policy(network);
        inner.prepare?.(network);
      },
      separates: parameter => inner?.separates?.(parameter) ?? false,
      penalty: (context, unit) => inner?.penalty?.(context, unit),
      replacesWeightDecay: parameter => inner?.replacesWeightDecay?.(parameter) ?? false,
    };
  };

interface Kind {
  readonly label: string;
  readonly at: (layers: Place, values: Values) => TrainingMethod;
}

const KINDS: Readonly<Record<string, Kind>> = {
  skl: {
    label: 'SKL',
    at: (layers, { fraction }) => stackedKroneckerMethod.create({ layers, start, fraction, form: 'auto' }),
  },
  lowrank: { label: 'low-rank', at: lowRankAt('plain') },
  sifd: { label: 'low-rank, SI + FD', at: lowRankAt('spectral') },
  dyad: {
    label: 'DYAD-IT',
    at: (layers, { fraction }) =>
      dyadMethod.create({ layers, start, blocks: Math.round(2 / fraction), variant: 'it', cat: true }),
  },
};

/** Letters of the source's table A–I. */
const LETTERS: Readonly<Record<string, string>> = {
  'skl-ffn': 'C',
  'skl-ffn-in': 'D',
  'lowrank-ffn-in': 'E',
  'skl-ffn-out': 'F',
  'skl-attention-out': 'G',
  'lowrank-attention-out': 'H',
  'skl-attention': 'I',
};

/** The dense arm of as many parameters, where there is one. */
const AGAINST: Readonly<Record<Place, string>> = {
  ffn: 'half-ffn',
  'ffn-in': 'narrower-ffn',
  'ffn-out': 'narrower-ffn',
  'attention-out': 'narrower-attention',
  attention: 'half-attention',
};

/** Arms that decide what the source says of feed-forward layers, and the narrower ones that they are compared with. */
const SEEDS = 7;
const MORE_SEEDS = new Set(['lowrank-ffn', 'lowrank-ffn-in', 'skl-ffn', 'skl-ffn-in']);

function replacing(kind: string, place: Place): readonly [string, Arm<Values>] {
  const name = `${kind}-${place}`;
  const { label, at } = KINDS[kind]!;
  const letter = LETTERS[name];
  return [
    name,
    {
      label: `${letter ? `(${letter}) ` : ''}${label} in ${PLACES[place]}`,
      group: PLACES[place],
      series: label,
      against: AGAINST[place],
      ...(MORE_SEEDS.has(name) && { seeds: SEEDS }),
      train: (values, seed) => training(values, seed, WHOLE, [at(place, values)]),
      measure,
    },
  ];
}

const dense = (label: string, widths: (values: Values) => Partial<Widths>, seeds?: number): Arm<Values> => ({
  label,
  ...(seeds !== undefined && { seeds }),
  group: 'dense',
  series: 'dense',
  train: (values, seed) => training(values, seed, { ...WHOLE, ...widths(values) }, []),
  measure,
});

export default defineStudy({
  title: 'Structured linear layers in a vision transformer',
  question:
    'Is a linear layer of half the parameters, as Kronecker products, low-rank product or DYAD, better than a narrower dense layer?',
  notes: [
    'The machine did other work during the runs kept here: their times of steps and inference do not compare. times.md, beside this page, has those of all arms in turns.',
    'The source trained a network of 5.8 million parameters on CIFAR-10 for hours; this one has a thirtieth of them, on Fashion-MNIST, for a minute.',
    'The source drew the factors of Kronecker products and DYAD by the usual rules for their shapes, which leaves outputs of less variance; here they start with the dense variance.',
    'The low-rank layers of the source have a bias between their factors, ours have none.',
    'Narrower, low-rank and Kronecker feed-forward layers have seven seeds, as the source speaks of these; the others three. The four were added when the first three were known.',
    'Layers of attention compare with dense ones that have narrower heads, and as many parameters.',
  ],
  claims: [
    {
      source: 'catid 2024',
      says: 'half the feed-forward width beats Kronecker products in both layers',
      better: 'half-ffn',
      than: 'skl-ffn',
    },
    {
      source: 'catid 2024',
      says: 'half the feed-forward width beats low rank in both layers',
      better: 'half-ffn',
      than: 'lowrank-ffn',
    },
    {
      source: 'catid 2024',
      says: 'a narrower feed-forward layer beats low rank in FFN-in',
      better: 'narrower-ffn',
      than: 'lowrank-ffn-in',
    },
    {
      source: 'catid 2024',
      says: 'Kronecker products beat low rank in FFN-in',
      better: 'skl-ffn-in',
      than: 'lowrank-ffn-in',
    },
    {
      source: 'catid 2024',
      says: 'Kronecker products in attention-out are as good as dense layers',
      noWorse: 'skl-attention-out',
      than: 'dense',
    },
    {
      source: 'catid 2024',
      says: 'low rank in attention-out costs accuracy',
      better: 'dense',
      than: 'lowrank-attention-out',
    },
    {
      source: 'catid 2024',
      says: 'Kronecker products in all attention cost accuracy',
      better: 'dense',
      than: 'skl-attention',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'SI and FD make low rank better in both feed-forward layers',
      better: 'sifd-ffn',
      than: 'lowrank-ffn',
    },
    {
      source: 'Khodak et al. 2021',
      says: 'SI and FD make low rank better in FFN-in',
      better: 'sifd-ffn-in',
      than: 'lowrank-ffn-in',
    },
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  columns: [
    { figure: 'parameters' },
    { figure: 'bytes' },
    { figure: 'flops' },
    { figure: 'step_ms' },
    { figure: 'run_ms', label: 'Inference', format: 'ms' },
    { figure: 'cpu_seconds' },
  ],
  reference: 'dense',
  plot: { x: { figure: 'parameters' } },
  arms: {
    dense: dense('(A) dense', () => ({})),
    'half-ffn': dense('(B) FFN of half the width', ({ fraction }) => ({ ffn: fraction }), SEEDS),
    'narrower-ffn': dense(
      'FFN of three quarters of the width',
      ({ fraction }) => ({ ffn: (1 + fraction) / 2 }),
      SEEDS,
    ),
    'half-attention': dense('heads of half the width', ({ fraction }) => ({ heads: fraction })),
    // Of the four layers of attention one is replaced, and heads are as wide as all of them.
    'narrower-attention': dense('heads of seven eighths of the width', ({ fraction }) => ({
      heads: (3 + fraction) / 4,
    })),
    ...Object.fromEntries(
      (Object.keys(PLACES) as Place[]).flatMap(place =>
        Object.keys(KINDS).map(kind => replacing(kind, place)),
      ),
    ),
  },
});
