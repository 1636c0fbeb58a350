import { WhittleError } from '../../graph/errors.js';
import type { Schedule } from './schedule.js';

export interface OneCycleOptions {
  /** The highest rate. */
  readonly peak: number;
  /**
   * Part of the training in which the rate grows; default 0.3. Where that is less than one update, the first has the
   * highest rate.
   */
  readonly rise?: number;
  /** The first rate is peak / this; default 25. */
  readonly startDivisor?: number;
  /** The last rate is the first one / this; default 10⁴. */
  readonly finalDivisor?: number;
}

/**
 * Up and down again in half cosines, as `torch.optim.lr_scheduler.OneCycleLR` with two phases does.
 * Smith & Topin, 2017, https://arxiv.org/abs/1708.07120.
 * @throws WhittleError for a negative peak, a divisor that is not positive, or a rise that is no part
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const { peak, rise = 0.3, startDivisor = 25, finalDivisor = 1e4 } = options;
  if (!(peak >= 0 && Number.isFinite(peak))) {
    throw new WhittleError(`the peak of a rate must be 0 or a positive number, not ${peak}`);
  }
  for (const [name, value] of Object.entries({ startDivisor, finalDivisor })) {
    if (value > 0 && Number.isFinite(value)) continue;
    throw new WhittleError(`${name} must be a positive number, not ${value}`);
  }
  if (!(rise >= 0 && rise <= 1)) throw new WhittleError(`rise is a part between 0 and 1, not ${rise}`);
  const first = peak / startDivisor;
  return {
    at({ update, updates }) {
      const top = Math.max(0, rise * updates - 1);
      const last = updates - 1;
      if (update <= top) return between(first, peak, top === 0 ? 1 : update / top);
      return between(peak, first / finalDivisor, Math.min(1, (update - top) / (last - top)));
    },
  };
}

const between = (from: number, to: number, part: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;
