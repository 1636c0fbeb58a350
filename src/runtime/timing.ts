import type { Session, Tensors } from './session.js';

export interface TimingOptions {
  /** Runs before the clock starts (default 3): the first ones allocate memory and pack weights. */
  warmup?: number;
  /** How many runs to time; default as many as fit into `seconds`. */
  runs?: number;
  /** How long to time (default 1), at least 5 runs. Not used where `runs` is given. */
  seconds?: number;
  /**
   * Which clock: `wall` (default), or `processor`, the time that the process was at work, which other programs do not
   * lengthen. They agree for a session of one thread on a machine with nothing else to do; for more threads processor
   * time is no latency. Where the platform does not tell it (browsers), the wall clock is read.
   */
  clock?: 'wall' | 'processor';
}

/** Times of single runs in milliseconds: the median, and the 10th and 90th percentile. */
export interface Timing {
  readonly medianMs: number;
  readonly p10: number;
  readonly p90: number;
  readonly runs: number;
}

/** Measures how long a model takes on the given inputs, conversions of the inputs left out. */
export async function timeSession(
  session: Session,
  feeds: Tensors,
  options: TimingOptions = {},
): Promise<Timing> {
  const [times] = await timeInterleaved([stepOf(session, feeds)], options);
  return summarize(times!);
}

/** Two models' times, and how long `b` takes for one unit of time of `a`: the median over pairs of runs. */
export interface Comparison {
  readonly a: Timing;
  readonly b: Timing;
  readonly ratio: number;
}

/**
 * Measures two models on the same inputs in turns (A B, B A, A B, …), so that whatever else the machine does falls
 * on both alike.
 */
export async function compareSessions(
  a: Session,
  b: Session,
  feeds: Tensors,
  options: TimingOptions = {},
): Promise<Comparison> {
  const [timesA, timesB] = await timeInterleaved([stepOf(a, feeds), stepOf(b, feeds)], options);
  const ratios = timesA!.map((time, i) => timesB![i]! / time);
  return { a: summarize(timesA!), b: summarize(timesB!), ratio: percentile(ratios, 0.5) };
}

const MIN_RUNS = 5;

/** Times steps in turns, reversing their order at every turn; one list of milliseconds for each. */
export async function timeInterleaved(
  steps: readonly (() => Promise<unknown>)[],
  { warmup = 3, runs, seconds = 1, clock = 'wall' }: TimingOptions = {},
): Promise<number[][]> {
  const now = clockOf(clock);
  for (let i = 0; i < warmup; i++) for (const step of steps) await step();
  const times: number[][] = steps.map(() => []);
  const order = steps.map((step, i) => ({ step, times: times[i]! }));
  const end = now() + seconds * 1000;
  for (let done = 0; runs === undefined ? done < MIN_RUNS || now() < end : done < runs; done++) {
    for (const { step, times } of order) {
      const start = now();
      await step();
      times.push(now() - start);
    }
    order.reverse();
  }
  return times;
}

/** Whether the platform tells how long the process was at work. */
export const tellsProcessorTime = (): boolean => platform.process?.cpuUsage !== undefined;

const platform: { process?: { cpuUsage?: () => { user: number; system: number } } } = globalThis;

/** Milliseconds from some moment on. */
function clockOf(clock: 'wall' | 'processor'): () => number {
  const usage = platform.process?.cpuUsage;
  if (clock === 'wall' || !usage) return () => performance.now();
  return () => {
    const { user, system } = usage();
    return (user + system) / 1000;
  };
}

export function summarize(times: readonly number[]): Timing {
  return {
    medianMs: percentile(times, 0.5),
    p10: percentile(times, 0.1),
    p90: percentile(times, 0.9),
    runs: times.length,
  };
}

/** The value below which a fraction of the others lie, between neighbours interpolated linearly. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = fraction * (sorted.length - 1);
  const low = Math.floor(position);
  const high = Math.ceil(position);
  return sorted[low]! + (position - low) * (sorted[high]! - sorted[low]!);
}

function stepOf(session: Session, feeds: Tensors): () => Promise<unknown> {
  const bound = session.bind(feeds);
  return () => bound.run();
}
