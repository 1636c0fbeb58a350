import { type Schedule, toSchedule } from './schedule.js';

/**
 * A schedule of a whole training for a part of it: the part begins after `from` updates of `updates` in all, whatever
 * it takes itself for.
 */
export function partOf(
  rate: number | Schedule,
  { from, updates }: { readonly from: number; readonly updates: number },
): Schedule {
  const schedule = toSchedule(rate);
  return {
    ...schedule,
    at: moment => schedule.at({ ...moment, update: moment.update + from, updates }),
  };
}
