import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { createPool, gram, matrix, type Pool, svd } from '../../src/linalg/index.js';
import { worthSplitting } from '../../src/linalg/split-svd.js';
import type { SpawnWorker, WorkerEvents } from '../../src/linalg/worker-port.js';
import { gaussian } from './matrices.js';

describe('a pool of real workers', () => {
  let pool: Pool;
  beforeAll(async () => {
    pool = await createPool({ workers: 2 });
  });
  afterAll(() => pool.close());

  it('gives the same bits as the main thread, in the order asked', async () => {
    const matrices = [gaussian(20, 30, 1), gaussian(90, 80, 2), gaussian(5, 1, 3), gaussian(64, 64, 4)];
    const results = await pool.svdAll(matrices);
    expect(results).toEqual(matrices.map(a => svd(a)));
  });

  it('shares the products of one large matrix, to the same bits', async () => {
    const tall = gaussian(42_000, 100, 1);
    expect(worthSplitting(tall)).toBe(true);
    expect(await pool.svd(tall, { rank: 1 })).toEqual(svd(tall, { rank: 1 }));
    tall.data[77] = Number.NaN;
    await expect(pool.svd(tall)).rejects.toThrow('element (0, 77) is NaN');
  });

  it('reports progress up to one', async () => {
    const seen: { done: number; total: number; work: number }[] = [];
    const matrices = Array.from({ length: 9 }, (_, i) => gaussian(3 + i, 4, i));
    await pool.svdAll(matrices, { rank: 1 }, { onProgress: progress => seen.push(progress) });
    expect(seen.map(({ done }) => done)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(seen.every(({ work }, i) => work > (seen[i - 1]?.work ?? 0) || work === 1)).toBe(true);
    expect(seen.at(-1)).toEqual({ done: 9, total: 9, work: 1 });
  });

  it('hands matrices over with transfer, and copies only the part in view without', async () => {
    const a = gaussian(30, 20, 5);
    const expected = svd(a);
    const large = new Float64Array(10_000);
    large.set(a.data, 77);
    const view = matrix(large.subarray(77, 677), 30, 20);
    expect(await pool.svd(view, {}, { transfer: true })).toEqual(expected);
    expect(large.length).toBe(10_000);
    expect(await pool.svd(a, {}, { transfer: true })).toEqual(expected);
    expect(a.data.length).toBe(0);
  });

  it('runs other tasks and strided float32 views', async () => {
    const data = Float32Array.from(gaussian(12, 10, 6).data);
    const view = matrix(data.subarray(2), 12, 7, 10);
    expect(await pool.run('gram', [view])).toEqual(gram(view));
  });

  it('passes errors on as they are', async () => {
    const broken = matrix(Float64Array.of(1, Number.NaN), 1, 2);
    const error = await pool.svd(broken).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WhittleError);
    expect(error).toMatchObject({ message: expect.stringContaining('element (0, 1) is NaN') });
    expect((error as WhittleError).hint).toContain('finite');
  });

  it('forecasts before it starts', async () => {
    const huge = { data: new Float64Array(1), rows: 40_000, cols: 40_000, stride: 40_000 };
    Object.defineProperty(huge.data, 'length', { value: 1.6e9 });
    await expect(pool.svdAll([gaussian(2, 2), huge])).rejects.toThrow(
      /svd of 40000 × 40000 needs \d+\.\d+ GiB/,
    );
  });

  it('stops a batch on abort, and goes on working', async () => {
    const stop = new AbortController();
    const matrices = Array.from({ length: 12 }, (_, i) => gaussian(150, 150, i));
    const batch = pool.svdAll(
      matrices,
      {},
      { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) },
    );
    await expect(batch).rejects.toThrow('enough');
    await expect(pool.svd(matrices[0]!, {}, { signal: stop.signal })).rejects.toThrow('enough');
    expect((await pool.svd(gaussian(4, 4, 1))).s.length).toBe(4);
  });

  it('stays sound over thousands of small decompositions', async () => {
    const rounds = 10_000;
    const matrices = Array.from({ length: rounds }, (_, i) => gaussian(1 + (i % 7), 1 + (i % 5), i));
    const results = await pool.svdAll(matrices);
    expect(results.length).toBe(rounds);
    for (const i of [0, 1234, rounds - 1]) expect(results[i]).toEqual(svd(matrices[i]!));
  });

  it('rejects everything once it is closed', async () => {
    const other = await createPool({ workers: 1 });
    const waiting = [other.svd(gaussian(200, 200, 1)), other.svd(gaussian(10, 10, 2))];
    other.close();
    for (const job of waiting) await expect(job).rejects.toThrow('closed before the job ended');
    await expect(other.svd(gaussian(2, 2))).rejects.toThrow('the pool is closed');
  });

  it('rejects a number of workers that is none', async () => {
    await expect(createPool({ workers: 0 })).rejects.toThrow('workers is 0');
  });
});

/** Workers that do what a test says. */
function puppets() {
  const all: { events: WorkerEvents; posted: unknown[]; terminated: boolean }[] = [];
  const spawn: SpawnWorker = events => {
    const puppet = { events, posted: [] as unknown[], terminated: false };
    all.push(puppet);
    return {
      post: message => void puppet.posted.push(message),
      terminate: () => {
        puppet.terminated = true;
      },
      keepAlive: () => {},
    };
  };
  return { all, spawn };
}

describe('a pool whose workers fail', () => {
  it('rejects the job of a worker that dies and starts another', async () => {
    const { all, spawn } = puppets();
    const pool = await createPool({ workers: 1, spawn });
    const first = pool.svd(gaussian(9, 9, 1));
    const second = pool.svd(gaussian(3, 3, 2));
    all[0]!.events.message({ ready: true });
    all[0]!.events.failure('it exited with code 134');
    await expect(first).rejects.toThrow(/worker died: it exited with code 134.*memoryLimit/);
    expect(all.length).toBe(2);
    all[1]!.events.message({ ready: true });
    all[1]!.events.message({ result: 'second' });
    expect(await second).toBe('second');
  });

  it('rejects jobs when no worker comes up', async () => {
    const { all, spawn } = puppets();
    const pool = await createPool({ workers: 2, spawn });
    const jobs = [1, 2, 3].map(i => pool.svd(gaussian(3, 3, i)));
    const settled = Promise.allSettled(jobs);
    for (let i = 0; i < 3; i++) all[i]!.events.failure('its script cannot be loaded');
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  it('ignores what a dead worker says', async () => {
    const { all, spawn } = puppets();
    const pool = await createPool({ workers: 1, spawn });
    const job = pool.svd(gaussian(3, 3, 1));
    all[0]!.events.message({ ready: true });
    all[0]!.events.failure('gone');
    all[0]!.events.failure('gone again');
    all[0]!.events.message({ result: 'late' });
    await expect(job).rejects.toThrow('gone');
  });

  it('sends the largest job first, and no more at once than memory allows', async () => {
    const { all, spawn } = puppets();
    const pool = await createPool({ workers: 2, spawn, memoryLimit: 3e6 });
    const jobs = [5, 90, 40].map(n => pool.svd(gaussian(n, n, n)));
    const sizes = () =>
      all.flatMap(({ posted }) =>
        posted.flatMap(m => (m as { args?: [{ rows: number }] }).args?.[0].rows ?? []),
      );
    all[0]!.events.message({ ready: true });
    all[1]!.events.message({ ready: true });
    expect(sizes()).toEqual([90, 40]);
    for (let i = 0; i < 3; i++) all[0]!.events.message({ result: i });
    await jobs[1];
    expect(sizes().length).toBe(3);
    pool.close();
    await Promise.allSettled(jobs);
    await expect(
      createPool({ spawn, memoryLimit: 1e6 }).then(small => small.svd(gaussian(200, 200))),
    ).rejects.toThrow(/needs \d+ MiB of memory, but the pool may use 1 MiB/);
  });

  it('ends the worker of an aborted job, and nothing else', async () => {
    const { all, spawn } = puppets();
    const pool = await createPool({ workers: 2, spawn });
    const stop = new AbortController();
    const aborted = pool.svd(gaussian(9, 9, 1), {}, { signal: stop.signal });
    const other = pool.svd(gaussian(8, 8, 1));
    for (const { events } of [...all]) events.message({ ready: true });
    stop.abort(new Error('stop'));
    await expect(aborted).rejects.toThrow('stop');
    expect(all.map(({ terminated }) => terminated)).toEqual([true, false]);
    all[1]!.events.message({ result: 'fine' });
    expect(await other).toBe('fine');
  });
});
