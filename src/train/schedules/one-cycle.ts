import type { Schedule } from './schedule.js';

export interface OneCycleOptions {
  /** The highest rate. */
  readonly peak: number;
  /** Part of the training in which the rate grows; default 0.3. */
  readonly rise?: number;
  /** The first rate is peak / this; default 25. */
  readonly startDivisor?: number;
  /** The last rate is the first one / this; default 10⁴. */
  readonly finalDivisor?: number;
}

/**
 * Up and down again in half cosines, as `torch.optim.lr_scheduler.OneCycleLR` with two phases does.
 * Smith & Topin, 2017, https://arxiv.org/abs/1708.07120.
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const { peak, rise = 0.3, startDivisor = 25, finalDivisor = 1e4 } = options;
  const first = peak / startDivisor;
  return {
    at({ update, updates }) {
      const top = rise * updates - 1;
      const last = updates - 1;
      if (update <= top) return between(first, peak, update / top);
      return between(peak, first / finalDivisor, (update - top) / (last - top));
    },
  };
}

const between = (from: number, to: number, part: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;
