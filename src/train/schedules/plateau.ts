import { WhittleError } from '../../graph/errors.js';
import type { Schedule } from './schedule.js';

export interface PlateauOptions {
  readonly base: number;
  /** The evaluation's metric to watch; default `loss`. */
  readonly metric?: string;
  /** Default `lower`. */
  readonly betterIs?: 'lower' | 'higher';
  /** Default 0.1. */
  readonly factor?: number;
  /** Evaluations without improvement that are borne; default 10. */
  readonly patience?: number;
  /** Smallest relative improvement that counts; default 10⁻⁴. */
  readonly threshold?: number;
  /** Default 0. */
  readonly minimum?: number;
}

/** Falls when a metric has stopped improving, as `torch.optim.lr_scheduler.ReduceLROnPlateau` does. */
export function reduceOnPlateau(options: PlateauOptions): Schedule {
  const { base, metric = 'loss', betterIs = 'lower', factor = 0.1, patience = 10 } = options;
  const { threshold = 1e-4, minimum = 0 } = options;
  const lower = betterIs === 'lower';
  let rate = base;
  let best = lower ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  let bad = 0;
  return {
    at: () => rate,
    observe(metrics) {
      const value = metrics[metric];
      if (value === undefined) {
        throw new WhittleError(`the evaluation measures no "${metric}" for the learning rate to follow`, {
          hint: `It measures ${Object.keys(metrics).join(', ')}`,
        });
      }
      const improved = lower ? value < best * (1 - threshold) : value > best * (1 + threshold);
      if (improved) best = value;
      bad = improved ? 0 : bad + 1;
      if (bad <= patience) return;
      rate = Math.max(minimum, rate * factor);
      bad = 0;
    },
    // JSON has no infinity.
    save: () => ({ rate, best: Number.isFinite(best) ? best : null, bad }),
    restore(saved) {
      const state = saved as { rate: number; best: number | null; bad: number };
      rate = state.rate;
      best = state.best ?? (lower ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
      bad = state.bad;
    },
  };
}
