/**
 * Small language models of equal size, one of each family, and what is left of each when it is compressed further.
 *
 *     whittle study docs/studies/language-model
 *
 * Melville's novel alone, as many bytes: --set corpus=moby-dick --set epochs=1. At full scale:
 * docs/studies/full-scale/language-model.
 */
import { compress } from 'whittle-nn/compress';
import { indexedSource } from 'whittle-nn/data';
import { subset } from 'whittle-nn/datasets';
import { byteTokenizer, type Corpus, loadCorpus, TokenWindows } from 'whittle-nn/datasets/node';
import { combine, readMethod } from 'whittle-nn/methods';
import { distillation } from 'whittle-nn/methods/distillation';
import { type Gpt2Options, gpt2, type Network } from 'whittle-nn/nn';
import { type Arm, defineStudy, factorForSize } from 'whittle-nn/study';
import {
  adamW,
  type ConfiguredTraining,
  choice,
  cosine,
  integer,
  languageModel,
  number,
  type ValuesOf,
  warmup,
} from 'whittle-nn/train';
import { nonZeroParameters } from '../non-zero.js';

const settings = {
  corpus: choice('both', ['moby-dick', 'sotu', 'both'], 'the text; the last tenth of each is held out'),
  features: integer(64, { min: 8 }),
  depth: integer(4, { min: 1 }),
  heads: integer(4, { min: 1 }),
  tokens: integer(64, { min: 2, description: 'bytes that the model sees at once' }),
  fraction: number(0.25, {
    min: 0.01,
    max: 1,
    description: 'what is left of the feed-forward layers; 1 / depth, so that all blocks can share one',
  }),
  epochs: number(0.1, { min: 0.001, description: 'passes over the text, in random order' }),
  testWindows: integer(2000, { min: 1, description: 'of the held-out text, evenly spread' }),
  batchSize: integer(32, { min: 1 }),
  learningRate: number(2e-3, { min: 0 }),
  weightDecay: number(0.1, { min: 0 }),
};
type Values = ValuesOf<typeof settings>;

const CORPORA: Readonly<Record<Values['corpus'], readonly Corpus[]>> = {
  'moby-dick': ['moby-dick'],
  sotu: ['sotu'],
  both: ['moby-dick', 'sotu'],
};

/** Windows of the text to train on, and of the held-out one. */
function windows({ corpus, tokens, testWindows }: Values) {
  const parts = CORPORA[corpus].map(name =>
    Uint16Array.from(byteTokenizer.encode(loadCorpus(name).join('\n'))),
  );
  const end = (ids: Uint16Array) => Math.floor(0.9 * ids.length);
  const train = parts.flatMap(ids => [...ids.subarray(0, end(ids))]);
  const test = parts.flatMap(ids => [...ids.subarray(end(ids))]);
  const heldOut = new TokenWindows(test, { tokens });
  const count = Math.min(testWindows, heldOut.length);
  return {
    train: new TokenWindows(train, { tokens }),
    test: subset(
      heldOut,
      Array.from({ length: count }, (_, i) => Math.floor((i * heldOut.length) / count)),
    ),
  };
}

const model = (
  { features, depth, heads, tokens }: Values,
  seed: number,
  changes: Gpt2Options = {},
): Network =>
  gpt2({
    vocabulary: byteTokenizer.vocabularySize,
    features,
    depth,
    heads,
    maxTokens: tokens,
    dropout: 0,
    training: true,
    seed,
    ...changes,
  });

const narrowFeedForward = (values: Values, seed: number): Network =>
  model(values, seed, { hiddenFeatures: Math.round(4 * values.fraction * values.features) });

/** Parameters that each arm but the dense one has, or comes nearest to. */
const sizeOf = (values: Values): number => narrowFeedForward(values, 0).parameterCount();
const shareOf = (values: Values): number => sizeOf(values) / model(values, 0).parameterCount();

/** Every layer narrower, and the heads. */
function narrow(values: Values, seed: number): Network {
  const at = (factor: number, seed: number): Network => {
    const features = Math.round(factor * values.features);
    return model(values, seed, { features, headDim: Math.max(1, Math.round(features / values.heads)) });
  };
  const factor = factorForSize(sizeOf(values), factor => at(factor, 0), { from: 0.1 });
  return at(factor, seed);
}

function training(network: Network, values: Values, seed: number): ConfiguredTraining {
  const { epochs, batchSize, learningRate, weightDecay } = values;
  const data = windows(values);
  const updates = (epochs * data.train.length) / batchSize;
  return {
    network,
    data,
    objective: languageModel(),
    optimizer: adamW({ betas: [0.9, 0.95] }),
    clip: { norm: 1 },
    learningRate: warmup(
      { updates: Math.min(100, updates / 10) },
      cosine({ base: learningRate, final: learningRate / 10 }),
    ),
    weightDecay,
    evaluation: { every: epochs, batchSize: 32 },
    batchSize,
    epochs,
    seed,
  };
}

/** Windows of the training text. */
function calibration(values: Values) {
  const { train } = windows(values);
  const count = 128;
  const every = Math.floor(train.length / count);
  return indexedSource({ description: 'windows of the training text' }, count, async index => {
    const { input_ids } = await train.batch([index * every]);
    return { input_ids: input_ids! };
  });
}

/** `compress()` to so many bytes. */
const shrink = async (file: Parameters<typeof compress>[0], values: Values, maxSize: number) =>
  compress(file, {
    maxSize,
    inputs: calibration(values),
    samples: { calibration: 96, verification: 32 },
    threads: 1,
    timing: false,
  });

/** Trained arms are compressed to the same bytes: half of what the small ones have as floats. */
const measure: Arm<Values>['measure'] = async ({ model: file, network, settings: values, evaluate }) => {
  const { report, model } = await shrink(file, values, 2 * sizeOf(values));
  const { perplexity } = await evaluate(model);
  return {
    ...(network && { parameters: nonZeroParameters(network) }),
    compressed_perplexity: perplexity!,
    compressed_bytes: report.bytes.after,
  };
};

const built = (label: string, build: (values: Values, seed: number) => Network): Arm<Values> => ({
  label,
  series: label,
  train: (values, seed) => training(build(values, seed), values, seed),
  measure,
});

const small = { group: 'Equal parameters', against: 'narrow-ffn' } as const;

const withMethod = (label: string, method: (values: Values) => string): Arm<Values> => ({
  ...small,
  label,
  series: label,
  train: async (values, seed) => ({
    ...training(model(values, seed), values, seed),
    methods: await combine([readMethod(method(values))]),
  }),
  measure,
});

/** A narrower feed-forward network with the dense one as its teacher. */
const distilled: Arm<Values> = {
  ...small,
  label: 'Feed-forward narrower, distilled',
  series: 'Feed-forward narrower, distilled',
  needs: 'dense',
  train: async (values, seed, needed) => ({
    ...training(narrowFeedForward(values, seed), values, seed),
    methods: [distillation({ teacher: { model: await (await needed('dense')).model() } })],
  }),
  measure,
};

const LABELS = {
  dense: 'Dense',
  'narrow-ffn': 'Feed-forward narrower',
  narrow: 'All narrower',
  'low-rank': 'Low rank, SI + FD',
  dyad: 'DYAD feed-forward',
  skl: 'SKL feed-forward',
  shared: 'Feed-forward shared by all blocks',
  rigl: 'RigL',
  gradual: 'Gradual pruning',
  distilled: 'Feed-forward narrower, distilled',
  lsq4: 'Dense, LSQ of 4 bits',
  lsq2: 'Dense, LSQ of 2 bits',
} as const;

/** The dense network, trained with weights of few bits; its embeddings stay floats until they are compressed. */
const quantized = (bits: 2 | 4): Arm<Values> => ({
  ...withMethod(LABELS[`lsq${bits}`], () => `lsq:bits=${bits},inputBits=0,layers=all,perOutput=true`),
  group: 'Integers',
  against: 'dense',
});

/** What is left of each trained arm at so many bytes for each parameter of the small ones. */
const compressed = (name: keyof typeof LABELS, bytes: number): Arm<Values> => ({
  label: `${LABELS[name]}, compressed`,
  series: LABELS[name],
  group: `${bytes === 1 ? 'A byte' : `${bytes} bytes`} for each parameter of the small ones`,
  needs: name,
  ...(name === 'narrow-ffn' ? { against: null } : { against: `narrow-ffn-${bytes}` }),
  async derive(values, _seed, needed) {
    const trained = await (await needed(name)).model();
    return { model: (await shrink(trained, values, bytes * sizeOf(values))).model };
  },
});

const NAMES = (Object.keys(LABELS) as (keyof typeof LABELS)[]).filter(name => !name.startsWith('lsq'));

/** What is compressed to so many bytes for each parameter; LSQ where its integers fit, and embeddings of 8 bits. */
const BYTES = [
  [1.5, ['dense', 'narrow-ffn', 'lsq4']],
  [1.15, ['dense', 'narrow-ffn', 'lsq2']],
  [1, NAMES],
  [0.75, NAMES],
] as const;

export default defineStudy({
  title: 'Small language models',
  question:
    'Of GPTs with the same number of parameters, trained on the same bytes, which reaches the lowest perplexity, and which still does when it is compressed to half its bytes?',
  notes: [
    'A byte-level model of 0.2 million parameters that sees as many bytes as a novel has, none of them twice, most of them speeches: it learns spelling and common words. What a method costs a model that has learnt more than that cannot be seen here.',
    'Perplexity is per byte. Parameters of a compressed file are the numbers that it holds, and some hold several weights.',
    'Except for the dense models, a quarter of the feed-forward parameters is left, or as many parameters in all. The masks of RigL leave a file as large as the dense one.',
    'Compressed, all have the same bytes; the dense model is compressed twice as hard as the others. By one `whittle compress` without recovery.',
    'LSQ rounds the weights of linear layers; names, sizes and floats around them take a fifth of such a small file, so that its integers of 4 and 2 bits fit at 1.5 and 1.15 bytes, with embeddings of 8 bits; 2 bits then have 6% less than their rivals.',
    'Distillation has its defaults, temperature 4 and nine tenths of the loss from the teacher, tuned for no language model.',
  ],
  claims: [
    {
      source: 'catid 2024',
      says: 'narrower feed-forward layers beat Kronecker products',
      better: 'narrow-ffn',
      than: 'skl',
    },
    {
      source: 'catid 2024',
      says: 'narrower feed-forward layers beat low rank',
      better: 'narrow-ffn',
      than: 'low-rank',
    },
    {
      source: 'Lan et al. 2020',
      says: 'sharing the feed-forward layers of all blocks costs quality',
      better: 'dense',
      than: 'shared',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing',
      noWorse: 'narrow-ffn',
      than: 'dense-compressed',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: quantization to 4 bits',
      noWorse: 'lsq4-1.5',
      than: 'dense-1.5',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: quantization to 2 bits',
      noWorse: 'lsq2-1.15',
      than: 'dense-1.15',
    },
    {
      source: 'Hinton et al. 2015',
      says: 'a small network is better when a large one teaches it',
      better: 'distilled',
      than: 'narrow-ffn',
    },
    {
      source: 'Zhu & Gupta 2017',
      says: 'a wide network pruned while it trains beats a narrow one',
      better: 'gradual',
      than: 'narrow-ffn',
    },
  ],
  settings,
  seeds: 3,
  metric: { figure: 'perplexity', betterIs: 'lower' },
  columns: [
    { figure: 'parameters' },
    { figure: 'bytes' },
    { figure: 'compressed_perplexity', label: 'Perplexity, compressed', format: 'number' },
    { figure: 'compressed_bytes', label: 'File, compressed', format: 'bytes' },
    { figure: 'cpu_seconds' },
  ],
  reference: 'dense',
  plot: { x: { figure: 'bytes' }, log: true },
  arms: {
    dense: built(LABELS.dense, (values, seed) => model(values, seed)),
    'dense-compressed': {
      ...small,
      label: 'Dense, compressed to their bytes',
      series: LABELS.dense,
      group: 'Equal bytes',
      needs: 'dense',
      async derive(values, _seed, needed) {
        const dense = await (await needed('dense')).model();
        return { model: (await shrink(dense, values, 4 * sizeOf(values))).model };
      },
    },
    'narrow-ffn': { ...built(LABELS['narrow-ffn'], narrowFeedForward), group: small.group },
    narrow: { ...built(LABELS.narrow, narrow), ...small },
    'low-rank': withMethod(
      LABELS['low-rank'],
      values => `low-rank:rule=parameters,amount=${shareOf(values)}`,
    ),
    // Version 2: `compress()` sees weights that are put together from parts.
    dyad: {
      ...withMethod(
        LABELS.dyad,
        ({ fraction }) => `dyad:layers=ffn,cat=true,blocks=${Math.round(2 / fraction)}`,
      ),
      version: 2,
    },
    skl: withMethod(LABELS.skl, ({ fraction }) => `stacked-kronecker:layers=ffn,fraction=${fraction}`),
    shared: withMethod(LABELS.shared, () => 'cross-layer:share=ffn'),
    rigl: withMethod(
      LABELS.rigl,
      values => `rigl:interval=50,counted=network,dense=none,density=${shareOf(values)}`,
    ),
    gradual: withMethod(
      LABELS.gradual,
      values => `gradual:interval=10,counted=network,dense=none,density=${shareOf(values)}`,
    ),
    distilled,
    lsq4: quantized(4),
    lsq2: quantized(2),
    ...Object.fromEntries(
      BYTES.flatMap(([bytes, names]) =>
        names.map(name => [`${name}-${bytes}`, compressed(name, bytes)] as const),
      ),
    ),
  },
});
