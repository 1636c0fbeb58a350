import type { Schedule } from './schedule.js';

export interface StepScheduleOptions {
  /** The rate to begin with. */
  readonly base: number;
  /** After which parts of the training the rate falls, e.g. `[0.5, 0.75]`. */
  readonly milestones: readonly number[];
  /** What it is multiplied by each time; default 0.1. */
  readonly factor?: number;
}

/** Falls at milestones, as `torch.optim.lr_scheduler.MultiStepLR` does. */
export const stepwise = ({ base, milestones, factor = 0.1 }: StepScheduleOptions): Schedule => ({
  at: ({ update, updates }) =>
    base * factor ** milestones.filter(part => update >= Math.round(part * updates)).length,
});
