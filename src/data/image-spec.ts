import type { DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { formatShape, type Signature, type TensorInfo } from './sample.js';

/** How an image file becomes a model's input: value = (pixel · scale − mean) / std, for pixels of 0 … 255. */
export interface ImageSpec {
  readonly input: string;
  readonly dtype: DType;
  /** Order of the axes; without `n` there is no batch axis. */
  readonly layout: 'nchw' | 'nhwc' | 'chw' | 'hwc';
  readonly channels: 'rgb' | 'bgr' | 'gray';
  /** Pixels; `undefined` follows the image: its own size, or with one side fixed its aspect ratio. */
  readonly height: number | undefined;
  readonly width: number | undefined;
  /**
   * Where both sides are fixed and the aspect ratio differs: `crop` the centre, `pad` (on the right and at the
   * bottom), or `stretch`.
   */
  readonly fit: 'crop' | 'pad' | 'stretch';
  /** Sides that are not fixed are padded to a multiple of this. Padding is 0 in the tensor. */
  readonly multipleOf: number;
  /** Images whose sides are both open are shrunk until neither is longer. */
  readonly maxSide: number;
  readonly scale: number;
  /** One value a channel, or one for all; in the tensor's channel order. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export type ImageOptions = Partial<Omit<ImageSpec, 'input' | 'dtype'>>;

/** Mean and standard deviation of ImageNet's RGB pixels in 0 … 1, the commonest normalisation. */
export const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/**
 * The spec that a model's signature suggests, with the options over it.
 * @returns also the assumptions that were made, in words
 * @throws WhittleError where the model has no single input that looks like an image
 */
export function inferImageSpec(
  signature: Signature,
  options: ImageOptions = {},
): { spec: ImageSpec; assumptions: string[] } {
  const [input, second] = signature.filter(info => !info.optional);
  if (!input || second) {
    throw new WhittleError(`images can feed a model with one input; this one has ${signature.length}`, {
      hint: 'Give a folder of .npz files with one array for each input',
    });
  }
  const { layout, channelCount, height, width } = readAxes(input, options.layout);
  const channels = options.channels ?? (channelCount === 1 ? 'gray' : 'rgb');
  if (channelCount !== undefined && channelCount !== (channels === 'gray' ? 1 : 3)) {
    throw new WhittleError(`the model takes ${channelCount} channel(s), "${channels}" gives another number`, {
      value: input.name,
    });
  }
  const raw = input.dtype === 'uint8';
  if (!raw && input.dtype !== 'float32' && input.dtype !== 'float16') {
    throw new WhittleError(`images cannot become ${input.dtype}`, {
      value: input.name,
      hint: 'Give a folder of .npy files',
    });
  }
  const normalisation = raw
    ? { mean: [0], std: [1], scale: 1 }
    : { ...(channels === 'gray' ? { mean: [0.5], std: [0.5] } : ordered(channels)), scale: 1 / 255 };
  const spec: ImageSpec = {
    input: input.name,
    dtype: input.dtype,
    layout,
    channels,
    height: options.height ?? height,
    width: options.width ?? width,
    fit: options.fit ?? 'crop',
    multipleOf: options.multipleOf ?? 32,
    maxSide: options.maxSide ?? 640,
    scale: options.scale ?? normalisation.scale,
    mean: options.mean ?? normalisation.mean,
    std: options.std ?? normalisation.std,
  };
  checkSpec(spec, { height, width });
  const assumptions = [
    options.channels === undefined && !(channels === 'gray') && `channels in the order ${channels}`,
    options.mean === undefined &&
      options.std === undefined &&
      (raw
        ? 'bytes as they are'
        : `normalised with mean ${formatList(spec.mean)} and std ${formatList(spec.std)} on pixels in 0 … 1`),
    options.fit === undefined && spec.height && spec.width && 'centre crop to the aspect ratio',
    !(spec.height && spec.width) &&
      `open sides follow the image${spec.height || spec.width ? '' : ` up to ${spec.maxSide} pixels`}, padded to a multiple of ${spec.multipleOf}`,
  ].filter(assumption => typeof assumption === 'string');
  return { spec, assumptions };
}

const ordered = (channels: 'rgb' | 'bgr') =>
  channels === 'rgb' ? IMAGENET : { mean: [...IMAGENET.mean].reverse(), std: [...IMAGENET.std].reverse() };

const formatList = (values: readonly number[]): string => values.map(v => +v.toPrecision(4)).join('/');

function readAxes(input: TensorInfo, wanted: ImageSpec['layout'] | undefined) {
  const { shape } = input;
  const rank = shape?.length;
  const isChannel = (dim: unknown) => dim === 1 || dim === 3;
  const candidates = rank === 4 ? (['nchw', 'nhwc'] as const) : rank === 3 ? (['chw', 'hwc'] as const) : [];
  const layout =
    wanted ?? candidates.find(candidate => isChannel(shape![candidate.indexOf('c')])) ?? undefined;
  if (!shape || !layout || layout.length !== rank) {
    throw new WhittleError(`input of shape ${formatShape(shape)} does not look like an image`, {
      value: input.name,
      hint: 'Say where the channels are (layout nchw or nhwc), or give a folder of .npy files',
    });
  }
  const fixed = (axis: string) => {
    const dim = shape[layout.indexOf(axis)];
    return typeof dim === 'number' ? dim : undefined;
  };
  return { layout, channelCount: fixed('c'), height: fixed('h'), width: fixed('w') };
}

function checkSpec(spec: ImageSpec, model: { height?: number; width?: number }): void {
  for (const side of ['height', 'width'] as const) {
    const size = spec[side];
    if (size !== undefined && !(Number.isInteger(size) && size > 0 && size <= 16384)) {
      throw new WhittleError(`image ${side} ${size} is not between 1 and 16384`);
    }
    if (model[side] !== undefined && size !== model[side]) {
      throw new WhittleError(`image ${side} ${size} does not fit the model, which takes ${model[side]}`, {
        value: spec.input,
      });
    }
  }
  const count = spec.channels === 'gray' ? 1 : 3;
  for (const name of ['mean', 'std'] as const) {
    if (spec[name].length !== 1 && spec[name].length !== count) {
      throw new WhittleError(`${name} has ${spec[name].length} values for ${count} channel(s)`);
    }
  }
  if (spec.std.some(std => std === 0)) throw new WhittleError('std must not be 0');
  if (!(Number.isInteger(spec.multipleOf) && spec.multipleOf > 0)) {
    throw new WhittleError(`multipleOf ${spec.multipleOf} is not a positive whole number`);
  }
}

const LISTS = new Set(['mean', 'std']);
const NUMBERS = new Set(['height', 'width', 'multipleOf', 'maxSide', 'scale']);
const WORDS: Readonly<Record<string, readonly string[]>> = {
  layout: ['nchw', 'nhwc', 'chw', 'hwc'],
  channels: ['rgb', 'bgr', 'gray'],
  fit: ['crop', 'pad', 'stretch'],
};

/**
 * Reads image options as a command line gives them: `channels=bgr,mean=0.485/0.456/0.406,std=0.5,fit=pad`.
 * @throws WhittleError where a key or value is not known
 */
export function parseImageOptions(text: string): ImageOptions {
  const options: Record<string, unknown> = {};
  for (const part of text.split(',').filter(p => p.trim() !== '')) {
    const [key = '', value = ''] = part.split('=', 2).map(s => s.trim());
    const numbers = value.split('/').map(Number);
    const finite = value !== '' && numbers.every(Number.isFinite);
    if (LISTS.has(key) && finite) options[key] = numbers;
    else if (NUMBERS.has(key) && finite && numbers.length === 1) options[key] = numbers[0];
    else if (WORDS[key]?.includes(value)) options[key] = value;
    else {
      throw new WhittleError(`image option "${part.trim()}" is not understood`, {
        hint: `Known: ${Object.entries(WORDS)
          .map(([k, v]) => `${k}=${v.join('|')}`)
          .join(
            ', ',
          )}, ${[...LISTS].map(k => `${k}=0.5/0.5/0.5`).join(', ')}, ${[...NUMBERS].map(k => `${k}=N`).join(', ')}`,
      });
    }
  }
  return options;
}
