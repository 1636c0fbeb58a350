import type { ImageOptions } from '../data/image-spec.js';

/** What `preprocessor_config.json` says about inputs. */
export interface Preprocessing {
  readonly image?: ImageOptions;
  /** Samples a second that the model wants of sounds. */
  readonly samplingRate?: number;
  /** Whether sounds are brought to mean 0 and variance 1. */
  readonly normalizeAudio?: boolean;
}

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;
const numbers = (value: unknown): number[] | undefined =>
  Array.isArray(value) && value.length > 0 && value.every(Number.isFinite) ? (value as number[]) : undefined;

/**
 * Reads the image or sound part of a Hugging Face `preprocessor_config.json`: sizes, crop, scale, mean and deviation. A
 * centre crop is taken of the whole image; Hugging Face's own pipelines may cut a little margin off before.
 */
export function readPreprocessing(config: unknown): Preprocessing {
  if (!isObject(config)) return {};
  const samplingRate = number(config.sampling_rate);
  if (samplingRate !== undefined) {
    return {
      samplingRate,
      ...(typeof config.do_normalize === 'boolean' && { normalizeAudio: config.do_normalize }),
    };
  }
  const kind = String(config.image_processor_type ?? config.feature_extractor_type ?? '');
  const mean = numbers(config.image_mean);
  const std = numbers(config.image_std);
  if (!/image|feature/i.test(kind) && !mean && config.size === undefined) return {};
  const crops = config.do_center_crop === true;
  const size = sidesOf(crops ? (config.crop_size ?? config.size) : config.size);
  const resizes = config.do_resize !== false || crops;
  const normalizes = config.do_normalize !== false;
  const scale = config.do_rescale === false ? 1 : (number(config.rescale_factor) ?? 1 / 255);
  return {
    image: {
      ...(resizes && size && { ...size, fit: crops ? 'crop' : 'stretch' }),
      scale,
      ...(normalizes ? { ...(mean && { mean }), ...(std && { std }) } : { mean: [0], std: [1] }),
    },
  };
}

/** `224`, `{ height, width }`; nothing for `{ shortest_edge }`, which leaves the other side to the image. */
function sidesOf(size: unknown): { height: number; width: number } | undefined {
  if (typeof size === 'number') return { height: size, width: size };
  if (!isObject(size)) return undefined;
  const [height, width] = [number(size.height), number(size.width)];
  return height !== undefined && width !== undefined ? { height, width } : undefined;
}
