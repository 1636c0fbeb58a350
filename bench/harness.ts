/**
 * The form that all benchmarks share. A benchmark is a list of cases; each times our code and a peer's in the same run,
 * and what counts is the ratio. Options of every benchmark:
 *
 *   --only NAME   one case (or all whose name begins with NAME-)
 *   --json        prints the case as an object (an array where there are several)
 *   --list        prints the names
 *   --cpu         counts processor time instead of the clock on the wall: for busy machines, one thread only
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Measurement {
  /** Milliseconds of our code. */
  ms: number;
  /** Whom we are compared with; null where it is not installed here. */
  peer: string | null;
  peerMs: number | null;
  /** Of ours to the peer, where it was measured as such; else `ms / peerMs`. */
  ratio?: number;
  /** Further figures by name, such as peak memory in MiB. */
  extra?: Record<string, number | null>;
}

export interface Case {
  name: string;
  run(): Promise<Measurement>;
}

/** What `--json` prints: ratio is below 1 where we are faster. */
export interface Row extends Omit<Measurement, 'extra' | 'ratio'> {
  name: string;
  ratio: number | null;
  [extra: string]: string | number | null;
}

/** Runs the cases that the command line asks for and prints them. */
export async function runBenchmark(cases: readonly Case[], args = process.argv.slice(2)): Promise<void> {
  if (args.includes('--list')) {
    console.log(cases.map(({ name }) => name).join('\n'));
    return;
  }
  const json = args.includes('--json');
  const only = option('--only', args);
  const exact = cases.filter(({ name }) => name === only);
  const chosen =
    only === undefined ? cases : exact.length > 0 ? exact : cases.filter(c => c.name.startsWith(`${only}-`));
  if (chosen.length === 0) throw new Error(`no case is called ${only}; --list prints the names`);

  const rows: Row[] = [];
  for (const { name, run } of chosen) {
    const { ms, peer, peerMs, ratio, extra } = await run();
    const row = {
      name,
      ms: round(ms),
      peer,
      peerMs: round(peerMs),
      ratio: peerMs === null ? null : round(ratio ?? ms / peerMs),
      ...extra,
    };
    if (!json) {
      if (rows.length === 0) console.log(header(row));
      console.log(line(Object.values(row)));
    }
    rows.push(row);
  }
  if (json) console.log(JSON.stringify(rows.length === 1 ? rows[0] : rows));
}

/** Three significant digits say all that such a measurement knows. */
function round<T extends number | null>(value: T): T {
  return (value === null ? null : Number(value.toPrecision(3))) as T;
}

const line = (cells: readonly unknown[]): string => `| ${cells.map(cell => cell ?? '–').join(' | ')} |`;

/** A Markdown table, so that it can go into docs/ as it is. */
function header(row: Row): string {
  const names = Object.keys(row);
  return `${line(names)}\n${line(names.map((_, i) => (i === 0 || i === 2 ? '---' : '---:')))}`;
}

/**
 * Times two ways of doing the same thing in turns, so that both meet the same weather; the least time of each counts.
 * @param ours and @param theirs return milliseconds
 * @param seconds how long to go on; three rounds at least, one of them to warm up
 */
export async function inTurns(
  ours: () => Promise<number>,
  theirs: (() => Promise<number>) | undefined,
  seconds = 3,
): Promise<{ ms: number; peerMs: number | null }> {
  const end = performance.now() + seconds * 1000;
  let ms = Number.POSITIVE_INFINITY;
  let peerMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3 || performance.now() < end; round++) {
    const times = [await ours(), (await theirs?.()) ?? Number.POSITIVE_INFINITY] as const;
    if (round === 0) continue;
    ms = Math.min(ms, times[0]);
    peerMs = Math.min(peerMs, times[1]);
  }
  return { ms, peerMs: theirs ? peerMs : null };
}

/** What follows an option on the command line; undefined where the option is not given. */
export const option = (name: string, args: readonly string[] = process.argv.slice(2)): string | undefined =>
  args.includes(name) ? args[args.indexOf(name) + 1] : undefined;

export interface Paired {
  /** Median milliseconds of each. */
  readonly ms: number;
  readonly peerMs: number;
  /** Median over pairs of neighbours of ours to theirs, and its interval of 95% confidence. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly pairs: number;
}

/**
 * Times two ways of doing the same thing in pairs of neighbours, the order turned round with each pair. What counts is
 * the ratio within a pair, so that a machine that is slower for a second is so for both. The interval takes no
 * distribution for granted: it lies between the order statistics that hold the median in 95% of all samples.
 * @param ours and @param theirs return milliseconds
 * @param seconds how long to go on; eleven pairs at least, and one to warm up
 */
export async function inPairs(
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
  seconds = 20,
): Promise<Paired> {
  const times: { own: number; other: number }[] = [];
  await ours();
  await theirs();
  const end = performance.now() + seconds * 1000;
  while (times.length < 11 || performance.now() < end) {
    if (times.length % 2 === 0) {
      const own = await ours();
      times.push({ own, other: await theirs() });
    } else {
      const other = await theirs();
      times.push({ own: await ours(), other });
    }
  }
  const ratios = ascending(times.map(({ own, other }) => own / other));
  const below = ranksBelow(ratios.length);
  return {
    ms: median(ascending(times.map(({ own }) => own))),
    peerMs: median(ascending(times.map(({ other }) => other))),
    ratio: median(ratios),
    low: ratios[below]!,
    high: ratios[ratios.length - 1 - below]!,
    pairs: ratios.length,
  };
}

/** How many of n values lie on either side of the interval: the most with P(Binomial(n, ½) ≤ count − 1) ≤ 2.5%. */
function ranksBelow(n: number): number {
  let probability = 0.5 ** n;
  let sum = probability;
  let count = 0;
  while (sum <= 0.025) {
    count++;
    probability *= (n - count + 1) / count;
    sum += probability;
  }
  return count - 1;
}

const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

const median = (sorted: readonly number[]): number =>
  (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;

/** Whether `--cpu` was given. */
export const countsCpu = process.argv.includes('--cpu');

/** Milliseconds that `work` takes. */
export async function time(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  if (!countsCpu) return performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Forgets the peak of resident memory of a process so far (Linux; elsewhere nothing happens). */
export function resetPeakMemory(pid: number | 'self' = 'self'): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {}
}

/** Peak of resident memory in MiB since the reset; null where the system does not tell. */
export function peakMemory(pid: number | 'self' = 'self'): number | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Math.round(Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]) / 1024);
  } catch {
    return null;
  }
}

export interface Loading {
  /** Processor time of loading, on one thread. */
  ms: number;
  /** Of one run, the least of some. */
  runMs: number;
  /** Most bytes of resident memory while it was loaded and run, beyond those before. */
  peak: number;
}

/** Loads a file into ONNX Runtime in a process that does nothing else, and runs it. */
export function measureLoading(file: string): Loading {
  const script = fileURLToPath(new URL('load-file.mjs', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [script, file], { encoding: 'utf8' })) as Loading;
}
