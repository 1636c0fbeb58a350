import { WhittleError } from '../graph/errors.js';
import { Random } from '../random/random.js';
import type { InputSource, Sample } from './sample.js';

export interface SplitOptions {
  /** At most so many samples to calibrate with; default 128. */
  readonly calibration?: number;
  /** At most so many held out to verify with; default 64. */
  readonly heldOut?: number;
  /** Share held out where there are fewer than that; default 1/3. */
  readonly fraction?: number;
  /** Decides which samples go where; default 0. */
  readonly seed?: number;
}

export interface InputSplit {
  readonly calibration: InputSource & { readonly length: number };
  /** Never seen in calibration. */
  readonly heldOut: InputSource & { readonly length: number };
}

/**
 * Splits inputs into some to calibrate with and others to verify with: no sample is in both, and the same seed
 * splits alike. A source of unknown length is counted by running through it once.
 * @throws WhittleError where there are fewer than two samples
 */
export async function splitInputs(source: InputSource, options: SplitOptions = {}): Promise<InputSplit> {
  const { calibration = 128, heldOut = 64, fraction = 1 / 3, seed = 0 } = options;
  const length = source.length ?? (await count(source));
  if (length < 2) {
    throw new WhittleError(
      `${length === 0 ? 'there are no inputs' : 'there is only one input'}: calibration and verification need one each`,
      { hint: 'Give at least two, better a hundred' },
    );
  }
  const order = new Random(seed).permutation(length);
  const heldOutCount = Math.max(1, Math.min(heldOut, length - 1, Math.round(length * fraction)));
  const calibrationCount = Math.max(1, Math.min(calibration, length - heldOutCount));
  return {
    heldOut: pickSamples(source, order.slice(0, heldOutCount), 'held out'),
    calibration: pickSamples(
      source,
      order.slice(heldOutCount, heldOutCount + calibrationCount),
      'for calibration',
    ),
  };
}

async function count(source: InputSource): Promise<number> {
  let samples = 0;
  for await (const _ of source.samples()) samples++;
  return samples;
}

/** Some samples of a source, in its order. */
function pickSamples(source: InputSource, indices: Uint32Array, role: string): InputSplit['heldOut'] {
  const sorted = indices.toSorted();
  return {
    ...source,
    description: `${sorted.length} ${role} of: ${source.description}`,
    length: sorted.length,
    ...(source.sample ? { sample: (index: number) => source.sample!(sorted[index]!) } : {}),
    async *samples(): AsyncIterable<Sample> {
      if (source.sample) {
        for (const index of sorted) yield await source.sample(index);
        return;
      }
      const wanted = new Set(sorted);
      const last = sorted.at(-1)!;
      let index = 0;
      for await (const sample of source.samples()) {
        if (wanted.has(index)) yield sample;
        if (++index > last) return;
      }
    },
  };
}
