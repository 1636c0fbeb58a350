import { Random } from '../random/random.js';

/** Lower and upper end of a 95% confidence interval. */
export type Interval = readonly [low: number, high: number];

/** Fewer samples than this say nothing of how much a figure could have differed. */
const MIN_SAMPLES = 5;

export interface BootstrapOptions {
  readonly resamples?: number;
  readonly seed?: number;
}

/**
 * The 95% interval of a figure that is computed from samples, by drawing as many samples with replacement and computing
 * it anew, many times over (percentile bootstrap: Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979).
 * @param statistic the figure for a selection of samples, given by their indices
 * @returns `undefined` for fewer than five samples, and where the figure is NaN
 */
export function bootstrapInterval(
  samples: number,
  statistic: (selection: Uint32Array) => number,
  { resamples = 1000, seed = 0 }: BootstrapOptions = {},
): Interval | undefined {
  if (samples < MIN_SAMPLES) return undefined;
  const random = new Random(seed, 'bootstrap');
  const selection = new Uint32Array(samples);
  const figures = new Float64Array(resamples);
  for (let i = 0; i < resamples; i++) {
    for (let j = 0; j < samples; j++) selection[j] = Math.floor(random.uniform(0, samples));
    figures[i] = statistic(selection);
  }
  if (figures.some(Number.isNaN)) return undefined;
  figures.sort();
  const at = (share: number) => figures[Math.round(share * (resamples - 1))]!;
  return [at(0.025), at(0.975)];
}
