import { WhittleError } from '../graph/errors.js';
import type { Evaluated } from './evaluate.js';

export interface EarlyStoppingOptions {
  /** Evaluations without improvement that are borne; 0 or more. */
  readonly patience: number;
  /** Smallest improvement that counts; default 0. */
  readonly minimum?: number;
}

export interface Goal {
  /** The metric of the evaluation that decides which weights are best. */
  readonly metric: string;
  readonly betterIs: 'higher' | 'lower';
}

/** An evaluation by the value of the metric that decides. */
export interface BestValue {
  readonly update: number;
  readonly value: number;
}

/** Remembers the best evaluation, and when it is time to stop. */
export class BestSoFar {
  best: BestValue | undefined;
  private readonly goal: Goal;
  private readonly stopping: EarlyStoppingOptions | undefined;
  private bad = 0;
  private mark: number | undefined;

  constructor(goal: Goal, stopping?: EarlyStoppingOptions) {
    this.goal = goal;
    this.stopping = stopping;
  }

  /** @throws WhittleError where the metric is not among those that an evaluation measures */
  requireMetric(measured: readonly string[]): void {
    const { metric } = this.goal;
    if (measured.includes(metric)) return;
    throw new WhittleError(`the evaluation measures no "${metric}"`, {
      hint: `It measures ${measured.join(', ')}`,
    });
  }

  /**
   * @returns whether this is the best so far; NaN and infinity never are
   * @throws WhittleError where the metric is not measured
   */
  observe(update: number, metrics: Evaluated): boolean {
    const { metric, betterIs } = this.goal;
    this.requireMetric(Object.keys(metrics));
    const value = metrics[metric]!;
    if (!Number.isFinite(value)) {
      this.bad++;
      return false;
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
    return { goal: this.goal, best: this.best ?? null, bad: this.bad, mark: this.mark ?? null };
  }

  restore(saved: unknown): void {
    const { best, bad, mark } = saved as SavedBest;
    // JSON has null for what is no number.
    this.best = typeof best?.value === 'number' ? { update: best.update, value: best.value } : undefined;
    this.bad = bad;
    this.mark = mark ?? undefined;
  }
}

/** What a checkpoint holds of it. */
export interface SavedBest {
  /** Absent in checkpoints of earlier versions. */
  readonly goal?: Goal;
  readonly best: { readonly update: number; readonly value: number | null } | null;
  readonly bad: number;
  readonly mark: number | null;
}
