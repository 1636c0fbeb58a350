import { WhittleError } from '../graph/errors.js';
import type { Evaluated } from './evaluate.js';

export interface EarlyStoppingOptions {
  /** Evaluations without improvement that are borne. */
  readonly patience: number;
  /** Smallest improvement that counts; default 0. */
  readonly minimum?: number;
}

export interface Goal {
  /** The metric of the evaluation that decides which weights are best. */
  readonly metric: string;
  readonly betterIs: 'higher' | 'lower';
}

/** Remembers the best evaluation, and when it is time to stop. */
export class BestSoFar {
  best: { readonly update: number; readonly value: number } | undefined;
  private readonly goal: Goal;
  private readonly stopping: EarlyStoppingOptions | undefined;
  private bad = 0;
  private mark: number | undefined;

  constructor(goal: Goal, stopping?: EarlyStoppingOptions) {
    this.goal = goal;
    this.stopping = stopping;
  }

  /** @returns whether this is the best so far @throws WhittleError where the metric is not measured */
  observe(update: number, metrics: Evaluated): boolean {
    const { metric, betterIs } = this.goal;
    const value = metrics[metric];
    if (value === undefined) {
      throw new WhittleError(`the evaluation measures no "${metric}"`, {
        hint: `It measures ${Object.keys(metrics).join(', ')}`,
      });
    }
    const sign = betterIs === 'higher' ? 1 : -1;
    const improved = this.best === undefined || sign * (value - this.best.value) > 0;
    if (improved) this.best = { update, value };
    // Small steps add up: patience counts from the last value that was better by the minimum.
    const enough = this.mark === undefined || sign * (value - this.mark) > (this.stopping?.minimum ?? 0);
    if (enough) this.mark = value;
    this.bad = enough ? 0 : this.bad + 1;
    return improved;
  }

  get shouldStop(): boolean {
    return this.stopping !== undefined && this.bad > this.stopping.patience;
  }

  save(): unknown {
    return { best: this.best ?? null, bad: this.bad, mark: this.mark ?? null };
  }

  restore(saved: unknown): void {
    const { best, bad, mark } = saved as { best: BestSoFar['best'] | null; bad: number; mark: number | null };
    this.best = best ?? undefined;
    this.bad = bad;
    this.mark = mark ?? undefined;
  }
}
