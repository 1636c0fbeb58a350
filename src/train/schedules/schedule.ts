/** Where a training stands when a rate is asked for. */
export interface Moment {
  /** Updates made so far, from 0. */
  readonly update: number;
  /** Updates of the whole training. */
  readonly updates: number;
  readonly updatesPerEpoch: number;
}

/** A rate over time. One may lead to another: `warmup({ updates: 500 }, cosine({ base: 0.1 }))`. */
export interface Schedule {
  at(moment: Moment): number;
  /** Told after each evaluation; for schedules that wait for a metric. */
  observe?(metrics: Readonly<Record<string, number>>): void;
  /** What a checkpoint must hold of it; JSON. */
  save?(): unknown;
  restore?(saved: unknown): void;
}

/** The same rate at every update. */
export const constant = (rate: number): Schedule => ({ at: () => rate });

/** A number stands for a constant schedule. */
export const toSchedule = (rate: number | Schedule): Schedule =>
  typeof rate === 'number' ? constant(rate) : rate;
