import { isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { Random } from '../random/random.js';
import { type InputSource, indexedSource, type Sample, type Signature, type TensorInfo } from './sample.js';
import { chooseShapes, isImage, type ShapeOptions } from './shapes.js';
import { smoothNoise } from './smooth-noise.js';
import { stateInput } from './state-inputs.js';

export interface GeneratedOptions extends ShapeOptions {
  /** Samples to make; default 32. */
  readonly count?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Token ids that each input knows, see `vocabularySize`. */
  readonly vocabulary?: Readonly<Record<string, number | undefined>>;
}

/** Ids below this are in every vocabulary worth the name. */
const SMALL_VOCABULARY = 100;
/** More than this for one sample is a mistake in a shape. */
const MAX_ELEMENTS = 2 ** 28;

/**
 * Inputs made up from a model's signature, the same for the same seed: smooth noise for images (mean 0, standard
 * deviation 1), ids within the vocabulary, ones for masks, zeros for states, normal noise for other floats.
 * Figures measured on them say how well two models agree on random inputs, not how well either does its task.
 * @throws WhittleError where a shape or dtype cannot be made up
 */
export function generatedInputs(signature: Signature, options: GeneratedOptions = {}): InputSource {
  const { count = 32, seed = 0, vocabulary = {} } = options;
  const required = signature.filter(info => !info.optional);
  const { shapes, assumed } = chooseShapes(required, options);
  const makers = required.map(info => {
    const dims = shapes.get(info.name)!;
    if (sizeOf(dims) > MAX_ELEMENTS) {
      throw new WhittleError(`input "${info.name}" of shape [${dims.join(', ')}] is too large to make up`, {
        value: info.name,
        hint: 'Give inputs with --calibration, or smaller sizes of open dimensions with --shape',
      });
    }
    return { info, dims, make: makerFor(info, dims, vocabulary[info.name]) };
  });
  const unknown = makers.filter(
    ({ make, info }) => make === randomIds && vocabulary[info.name] === undefined,
  );
  const notes = [
    'Inputs are made up: figures measure agreement with the original on random inputs, not the quality of its work. Real ones (--calibration) tell more.',
    ...(assumed.length > 0 ? [`Assumed sizes: ${assumed.join(', ')}.`] : []),
    ...unknown.map(
      ({ info }) =>
        `How many ids input "${info.name}" knows was not found: ids below ${SMALL_VOCABULARY} are used.`,
    ),
  ];
  const about = {
    description: `${count} inputs generated at random from the model's signature (seed ${seed})`,
    notes,
    generated: true,
  };
  return indexedSource(about, count, index => {
    const sample: Sample = {};
    for (const { info, dims, make } of makers) {
      // Every tensor has a stream of its own, so that samples can be made in any order.
      const random = new Random(seed, `${index} ${info.name}`);
      sample[info.name] = make(info, dims, random, vocabulary[info.name] ?? SMALL_VOCABULARY);
    }
    return sample;
  });
}

type Maker = (info: TensorInfo, dims: readonly number[], random: Random, vocabulary: number) => Tensor;

const constant =
  (value: number): Maker =>
  ({ dtype }, dims) =>
    Tensor.fromNumbers(dtype, dims, new Float32Array(sizeOf(dims)).fill(value));

const randomIds: Maker = ({ dtype }, dims, random, vocabulary) =>
  Tensor.fromNumbers(
    dtype,
    dims,
    Float64Array.from({ length: sizeOf(dims) }, () => random.integer(vocabulary)),
  );

const positions: Maker = ({ dtype }, dims) => {
  const length = dims.at(-1) ?? 1;
  return Tensor.fromNumbers(
    dtype,
    dims,
    Float64Array.from({ length: sizeOf(dims) }, (_, i) => i % length),
  );
};

const normalNoise: Maker = ({ dtype }, dims, random) =>
  Tensor.fromNumbers(
    dtype,
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => random.normal()),
  );

const imageNoise: Maker = ({ dtype, shape }, dims, random) => {
  const channelsLast = shape?.[1] !== 1 && shape?.[1] !== 3;
  const noise = smoothNoise(dims, channelsLast ? [1, 2] : [2, 3], random);
  return Tensor.fromNumbers(
    dtype,
    dims,
    dtype === 'uint8' ? noise.map(v => Math.max(0, Math.min(255, Math.round(128 + 50 * v)))) : noise,
  );
};

const words: Maker = (_, dims, random) => {
  const vocabulary = ['the', 'small', 'river', 'keeps', 'an', 'old', 'bridge', 'and', 'never', 'asks', 'why'];
  const text = () => Array.from({ length: 8 }, () => vocabulary[random.integer(vocabulary.length)]).join(' ');
  return Tensor.strings(dims, Array.from({ length: sizeOf(dims) }, text));
};

/** What each input is taken for, by its dtype, name and shape. */
function makerFor(info: TensorInfo, dims: readonly number[], vocabulary: number | undefined): Maker {
  const { name, dtype } = info;
  const state = stateInput(info, dims.at(-1) ?? 1);
  if (state) return () => state;
  if (dtype === 'string') return words;
  if (isImage(info) && (isFloat(dtype) || dtype === 'uint8')) return imageNoise;
  if (/mask/i.test(name)) return constant(1);
  if (dtype === 'bool') return constant(0);
  if (/^(sr|sample_?rate|sampling_rate)$/i.test(name)) return constant(16_000);
  if (isFloat(dtype)) {
    if (/^(h|c|hn|cn|hidden|cell|state|initial_[hc])(_?\d+)?$/i.test(name)) return constant(0);
    return /scale/i.test(name) ? constant(1) : normalNoise;
  }
  if (dtype.startsWith('complex') || /^(bfloat|u?int[24]$)/.test(dtype)) {
    throw new WhittleError(`values of dtype ${dtype} cannot be made up`, {
      value: name,
      hint: 'Give calibration inputs as .npy or .npz files',
    });
  }
  if (vocabulary === undefined) {
    if (/token_type|segment/i.test(name)) return constant(0);
    if (/position/i.test(name)) return positions;
    if (/len/i.test(name)) return constant(dims.at(-1) ?? 1);
    if (dims.length === 0) return constant(1);
  }
  return randomIds;
}
