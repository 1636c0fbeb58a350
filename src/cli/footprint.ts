import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { CompressReport } from '../compress/report.js';
import type { Sample } from '../data/sample.js';

/** Each file is loaded so often, each time in a fresh process. */
const RUNS = 3;

/**
 * What loading each file takes in a process of its own: the time until the session is ready, and the memory that is
 * taken after one run more than before. Medians.
 * @returns `undefined` where no such process can be run, or the inputs are not plain tensors
 */
export async function measureLoad(
  before: string,
  after: string,
  sample: Sample,
): Promise<CompressReport['load'] | undefined> {
  const feeds = Object.entries(sample).map(([name, { dtype, dims }]) => ({ name, dtype, dims }));
  const runs: { a: Footprint; b: Footprint }[] = [];
  try {
    // In turns, so that whatever else the machine does falls on both alike.
    for (let i = 0; i < RUNS; i++)
      runs.push({ a: await loadOnce(before, feeds), b: await loadOnce(after, feeds) });
  } catch {
    return undefined;
  }
  const median = (values: number[]) => values.sort((x, y) => x - y)[Math.floor(values.length / 2)]!;
  return {
    beforeMs: median(runs.map(({ a }) => a.ms)),
    afterMs: median(runs.map(({ b }) => b.ms)),
    beforeBytes: median(runs.map(({ a }) => a.bytes)),
    afterBytes: median(runs.map(({ b }) => b.bytes)),
    runs: RUNS,
  };
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
