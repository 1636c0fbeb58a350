import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { CompressReport } from '../compress/report.js';
import type { Sample } from '../data/sample.js';

/** Each file is loaded so often, each time in a fresh process. */
const RUNS = 3;

/** What loading takes: milliseconds until the session is ready, and bytes of memory taken after one run. */
export interface LoadCost {
  readonly ms: number;
  readonly bytes: number;
  readonly runs: number;
}

/**
 * What loading each file takes in a process of its own: the time until the session is ready, and the memory that is
 * taken after one run more than before. Medians.
 * @param samples for each file its inputs
 * @returns `undefined` where no such process can be run, or the inputs are not plain tensors
 */
export async function measureLoads(
  files: readonly string[],
  samples: readonly Sample[],
): Promise<LoadCost[] | undefined> {
  const feeds = samples.map(sample =>
    Object.entries(sample).map(([name, { dtype, dims }]) => ({ name, dtype, dims })),
  );
  const found = files.map((): Footprint[] => []);
  try {
    // In turns, so that whatever else the machine does falls on all alike.
    for (let run = 0; run < RUNS; run++) {
      for (const [i, file] of files.entries()) found[i]!.push(await loadOnce(file, feeds[i]!));
    }
  } catch {
    return undefined;
  }
  const median = (values: number[]) => values.sort((x, y) => x - y)[Math.floor(values.length / 2)]!;
  return found.map(runs => ({
    ms: median(runs.map(({ ms }) => ms)),
    bytes: median(runs.map(({ bytes }) => bytes)),
    runs: RUNS,
  }));
}

/** What loading takes before and after a compression. */
export async function measureLoad(
  before: string,
  after: string,
  sample: Sample,
): Promise<CompressReport['load'] | undefined> {
  const [a, b] = (await measureLoads([before, after], [sample, sample])) ?? [];
  return a && b && { beforeMs: a.ms, afterMs: b.ms, beforeBytes: a.bytes, afterBytes: b.bytes, runs: RUNS };
}

interface Footprint {
  readonly ms: number;
  readonly bytes: number;
}

/** Runs in the other process; zeros stand for the inputs, whose values do not change what is allocated. */
const CHILD = `
const [runtime, file, feeds] = process.argv.slice(1);
const { default: { InferenceSession, Tensor } } = await import(runtime);
const types = { float32: Float32Array, int64: BigInt64Array, int32: Int32Array, uint8: Uint8Array, float64: Float64Array, int8: Int8Array, bool: Uint8Array };
const before = process.memoryUsage().rss;
const start = performance.now();
const session = await InferenceSession.create(file);
const ms = performance.now() - start;
await session.run(Object.fromEntries(JSON.parse(feeds).map(({ name, dtype, dims }) =>
  [name, new Tensor(dtype, new types[dtype](dims.reduce((a, b) => a * b, 1)), dims)])));
console.log(JSON.stringify({ ms, bytes: Math.max(0, process.memoryUsage().rss - before) }));
`;

async function loadOnce(file: string, feeds: readonly object[]): Promise<Footprint> {
  const runtime = pathToFileURL(createRequire(import.meta.url).resolve('onnxruntime-node')).href;
  const args = ['--input-type=module', '-e', CHILD, runtime, file, JSON.stringify(feeds)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 120_000 });
  return JSON.parse(stdout) as Footprint;
}
