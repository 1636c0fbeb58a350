import { type Schedule, toSchedule } from './schedule.js';

export interface WarmupOptions {
  /** Updates until the rate is whole. */
  readonly updates: number;
  /** What the first update's rate is multiplied by; default 0. */
  readonly start?: number;
}

/**
 * Grows linearly to the rate of another schedule, which then begins: its time is what is left after the warm-up.
 * Goyal et al., 2017, https://arxiv.org/abs/1706.02677, section 2.2.
 */
export function warmup({ updates: length, start = 0 }: WarmupOptions, after: number | Schedule): Schedule {
  const schedule = toSchedule(after);
  return {
    ...schedule,
    at(moment) {
      const rest = { ...moment, updates: Math.max(1, moment.updates - length) };
      const whole = schedule.at({ ...rest, update: Math.max(0, moment.update - length) });
      if (moment.update >= length) return whole;
      return whole * (start + ((1 - start) * moment.update) / length);
    },
  };
}
