/**
 * What is lost by compressing a trained network instead of training it small, family by family, at equal bytes. Where
 * it makes sense, a third way stands between the two: compressed, then trained a little.
 *
 *     whittle study docs/studies/post-or-scratch
 *
 * At full scale: docs/studies/full-scale/post-or-scratch.
 */
import { gzipSync } from 'node:zlib';
import { type CompressOptions, compress } from 'whittle-nn/compress';
import { indexedSource } from 'whittle-nn/data';
import { combine, readMethod } from 'whittle-nn/methods';
import { distillation } from 'whittle-nn/methods/distillation';
import { exportForInference, type Network } from 'whittle-nn/nn';
import { encodeToBytes, modelByteLength } from 'whittle-nn/onnx';
import { prune } from 'whittle-nn/prune';
import { type Arm, type DerivingArm, defineStudy, factorForSize, type TrainingArm } from 'whittle-nn/study';
import { exportTrained, number } from 'whittle-nn/train';
import * as images from '../fashion-mnist.js';

const settings = {
  ...images.settings,
  share: number(0.25, { min: 0.05, max: 0.9, description: 'bytes left of the dense file' }),
  fineTune: number(0.25, { min: 0.01, description: 'epochs after compression, as a share of those before' }),
};
type Values = images.Values & { readonly share: number; readonly fineTune: number };
type Method = (values: Values) => string;

/** Files travel compressed, and zeros in a file cost nothing then. */
const measure: Arm<Values>['measure'] = ({ model }) => ({
  download: gzipSync(encodeToBytes(model), { level: 9 }).length,
});

const methods = (text: string) => combine([readMethod(text)]);

/** Bytes of the file that a method leaves of the dense network. */
async function bytesWith(method: string, values: Values): Promise<number> {
  const network = images.resNet(values, values.width, 0);
  const prepared = await methods(method);
  for (const each of prepared) each.prepare?.(network);
  return modelByteLength(exportTrained(network, prepared));
}

/** The narrower network whose file has the share of the dense one's bytes. */
function narrowNet(values: Values, seed: number): Network {
  const bytes = (network: Network) => modelByteLength(exportForInference(network));
  const target = values.share * bytes(images.resNet(values, values.width, 0));
  const build = (width: number) => images.resNet(values, width, 0);
  const width = factorForSize(target, build, { to: values.width, sizeOf: bytes });
  return images.resNet(values, width, seed);
}

/** Training images, one at a time, without labels. */
function calibration(values: Values) {
  const train = images.trainingImages(values);
  return indexedSource({ description: 'training images' }, 256, async index => {
    const { pixel_values } = await train.batch([index]);
    return { pixel_values: pixel_values! };
  });
}

/** How `compress()` and `prune()` see images. */
const calibrated = (values: Values, seed: number) => ({
  inputs: calibration(values),
  samples: { calibration: 192, verification: 64 },
  threads: 1,
  timing: false,
  seed,
});

/** The dense arm's model, through `compress()`: to the bytes that a method leaves, or to the share. */
const compressed = (
  label: string,
  group: string,
  options: CompressOptions,
  as?: Method,
): DerivingArm<Values> => ({
  label,
  group,
  needs: 'dense',
  async derive(values, seed, needed) {
    const { model } = await compress(await (await needed('dense')).model(), {
      maxSize: as ? await bytesWith(as(values), values) : `${100 * values.share}%`,
      ...calibrated(values, seed),
      ...options,
    });
    return { model };
  },
  measure,
});

/** From the dense arm's weights, with a method, for a few epochs at a fifth of the learning rate. */
const tuned = (label: string, group: string, method: Method): TrainingArm<Values> => ({
  label,
  group,
  needs: 'dense',
  async train(values, seed, needed) {
    const { epochs, learningRate, fineTune } = values;
    const network = await (await needed('dense')).network();
    const shorter = { ...values, epochs: fineTune * epochs, learningRate: learningRate / 5 };
    return { ...images.training(network, shorter, seed), methods: await methods(method(values)) };
  },
  measure,
});

const scratch = (label: string, group: string, method: Method): TrainingArm<Values> => ({
  label,
  group,
  train: async (values, seed) => ({
    ...images.training(images.resNet(values, values.width, seed), values, seed),
    methods: await methods(method(values)),
  }),
  measure,
});

/** Beside its values, a sparse weight costs the places where they are: about a fifth more. */
const density = ({ share }: Values): string => `density=${0.8 * share},counted=network`;
const lowRank: Method = ({ share }) => `low-rank:rule=bytes,amount=${share}`;
const qat: Method = () => 'qat:bits=8,inputs=float32,layers=all';
const lsq =
  (bits: number): Method =>
  () =>
    `lsq:bits=${bits},inputBits=0,layers=all,perOutput=true`;
const binary: Method = () => 'xnor:inputs=false,layers=all';
/** Indices take a byte in the file, whatever their bits. */
const CLUSTERED = 'clustered:layers=all,bits=7';

/** Weights of few bits: the dense network compressed to the bytes, trained a little with the method, or from scratch. */
const fewBits = (key: string, group: string, name: string, method: Method): Record<string, Arm<Values>> => ({
  [`${key}-after`]: { ...compressed('After training', group, {}, method) },
  [`${key}-tuned`]: tuned(`After training, fine-tuned with ${name}`, group, method),
  [`${key}-scratch`]: { ...scratch(`From scratch: ${name}`, group, method), against: `${key}-after` },
});

export default defineStudy({
  title: 'Compressed after training, or trained small',
  question:
    'At equal bytes, how much better is a network that was trained in its small form than one that was compressed when it was trained?',
  notes: [
    ...images.NOTES,
    'Each arm compares with the first of its group, and the narrower dense network with the whole one.',
    'In each group but the first the files, or downloads where weights were removed, have the bytes of the way from scratch, to within 2%; factorization after training has 4% less, ABC-Net 6% more. The narrower network and “any mix” have the share that was asked for.',
    'Few bits after training are chosen by `whittle compress` from all that it knows, layer by layer, to the bytes of the file that was trained with them.',
    'A file whose weights were pruned one by one stores its zeros; the download, gzip at its best, is what the arms have about equal.',
    'Clusters from scratch keep the random assignment that they start with, and learn the values alone.',
    'A small network has little redundancy, and quantization of its weights costs less than anything else here; large ones may lose less by all of them.',
  ],
  claims: [
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: channels removed',
      noWorse: 'channels-scratch',
      than: 'channels-after',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: weights removed',
      noWorse: 'pruned-scratch',
      than: 'pruned-tuned',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: factorization',
      noWorse: 'factorized-scratch',
      than: 'factorized-after',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: quantization',
      noWorse: 'quantized-scratch',
      than: 'quantized-after',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: 4 bits',
      noWorse: 'four-bits-scratch',
      than: 'four-bits-after',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: 2 bits',
      noWorse: 'two-bits-scratch',
      than: 'two-bits-after',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: 1 bit',
      noWorse: 'one-bit-scratch',
      than: 'one-bit-after',
    },
    {
      source: 'Gordon 2020',
      says: 'training small could take the place of compressing: shared values',
      noWorse: 'hashed-scratch',
      than: 'clustered-after',
    },
    {
      source: 'Dyro',
      says: 'after training, quantization beats factorization',
      better: 'quantized-after',
      than: 'factorized-after',
    },
    {
      source: 'Hinton et al. 2015',
      says: 'a small network is better when a large one teaches it',
      better: 'distilled',
      than: 'narrow',
    },
  ],
  settings,
  places: ['data'],
  seeds: 3,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  columns: [
    { figure: 'bytes' },
    { figure: 'download', label: 'Download', format: 'bytes' },
    { figure: 'updates', label: 'Updates', format: 'count' },
    { figure: 'cpu_seconds' },
  ],
  reference: 'dense',
  plot: { x: { figure: 'download', label: 'Download', format: 'bytes' }, log: true, worst: 0.75 },
  // Version 2: files of a group are equally large.
  arms: {
    dense: {
      label: 'Dense',
      train: (values, seed) => images.training(images.resNet(values, values.width, seed), values, seed),
      measure,
    },
    narrow: {
      label: 'Dense, narrower',
      version: 2,
      train: (values, seed) => images.training(narrowNet(values, seed), values, seed),
      measure,
    },
    distilled: {
      label: 'Dense, narrower, distilled from the dense one',
      version: 2,
      needs: 'dense',
      against: 'narrow',
      train: async (values, seed, needed) => ({
        ...images.training(narrowNet(values, seed), values, seed),
        methods: [distillation({ teacher: { model: await (await needed('dense')).model() } })],
      }),
      measure,
    },
    'mix-after': compressed('After training', 'whittle compress, any mix', {}),
    'mix-distilled': compressed('After training, recovered by distillation', 'whittle compress, any mix', {
      recover: 'distill',
    }),
    'channels-after': {
      label: 'After training',
      version: 2,
      group: 'Channels removed',
      needs: 'dense',
      async derive(values, seed, needed) {
        const dense = await (await needed('dense')).model();
        // Found by trial: as many bytes as the network that is narrowed while it trains.
        const options = { ...calibrated(values, seed), parameters: 1.03 * values.share, round: 1 };
        return { model: (await prune(dense, options)).model };
      },
      measure,
    },
    'channels-scratch': {
      ...scratch(
        'From scratch: narrowed while training',
        'Channels removed',
        // Found by trial: the bytes fall about as the width does.
        ({ share }) => `narrow:width=${1.27 * share},interval=10`,
      ),
      against: 'channels-after',
    },
    'pruned-tuned': tuned(
      'After training, fine-tuned',
      'Weights removed',
      values => `magnitude:at=0,${density(values)}`,
    ),
    'pruned-scratch': {
      ...scratch('From scratch: RigL', 'Weights removed', values => `rigl:interval=25,${density(values)}`),
      against: 'pruned-tuned',
    },
    'factorized-after': {
      ...compressed('After training', 'Factorization', { method: 'spatial' }, lowRank),
      version: 2,
    },
    'factorized-tuned': tuned('After training, fine-tuned', 'Factorization', lowRank),
    'factorized-scratch': {
      ...scratch('From scratch, SI + FD', 'Factorization', lowRank),
      against: 'factorized-after',
    },
    'quantized-after': {
      ...compressed('After training', 'Quantization', { method: 'quantize' }, qat),
      version: 2,
    },
    'quantized-scratch': {
      ...scratch('From scratch: QAT', 'Quantization', qat),
      against: 'quantized-after',
    },
    ...fewBits('four-bits', 'Weights of 4 bits', 'LSQ', lsq(4)),
    'abc-scratch': {
      ...scratch(
        'From scratch: ABC-Net, 3 binary tensors',
        'Weights of 4 bits',
        () => 'abc-net:weightBases=3,inputBases=0,layers=all',
      ),
      against: 'four-bits-after',
    },
    ...fewBits('two-bits', 'Weights of 2 bits', 'LSQ', lsq(2)),
    'xnor-scratch': {
      ...scratch('From scratch: XNOR-Net, inputs too', 'Weights of 2 bits', () => 'xnor:'),
      against: 'two-bits-after',
    },
    ...fewBits('one-bit', 'Weights of 1 bit', 'binary weights', binary),
    'clustered-after': {
      label: 'After training',
      group: 'Sharing',
      needs: 'dense',
      async derive(_values, _seed, needed) {
        const network = await (await needed('dense')).network();
        for (const method of await methods(CLUSTERED)) method.prepare?.(network);
        return { model: exportForInference(network) };
      },
      measure,
    },
    'clustered-tuned': tuned('After training, fine-tuned', 'Sharing', () => CLUSTERED),
    'clustered-scratch': {
      ...scratch('From scratch: random clusters', 'Sharing', () => CLUSTERED),
      against: 'clustered-after',
    },
    'hashed-scratch': {
      version: 2,
      // Found by trial: as many bytes as the clusters.
      ...scratch('From scratch: hashed', 'Sharing', ({ share }) => `hashed:fraction=${0.84 * share}`),
      against: 'clustered-after',
    },
  },
});
