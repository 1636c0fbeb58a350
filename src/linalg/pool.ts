import { WhittleError } from '../graph/errors.js';
import { initLinalg, kernelModule } from './kernels.js';
import type { Matrix } from './matrix.js';
import { createJob, forecastBytes, type Job } from './pool-job.js';
import { splitSvd, worthSplitting } from './split-svd.js';
import type { Svd, SvdOptions } from './svd.js';
import type { TaskName, Tasks } from './tasks.js';
import { type SpawnWorker, type WorkerPort, workerPlatform } from './worker-port.js';
import { buffersOf, deserializeError, type FromWorker } from './worker-protocol.js';

export interface PoolOptions {
  /** Workers at most; the number of processors unless given. They start when there is work for them. */
  workers?: number;
  /** WebAssembly memory in bytes that running jobs may take together; fewer run at once where it is short. */
  memoryLimit?: number;
  /** How to start a worker; for tests and unusual platforms. */
  spawn?: SpawnWorker;
}

export interface JobOptions {
  /** Stops the job: at once where it waits, by ending its worker where it runs. */
  signal?: AbortSignal;
  /** Hands the matrices over to the worker: nothing is copied, and the caller's arrays are empty afterwards. */
  transfer?: boolean;
}

export interface BatchOptions extends JobOptions {
  /** Called after each job. `work` is the share of the arithmetic that is done, from 0 to 1. */
  onProgress?: (progress: { done: number; total: number; work: number }) => void;
}

interface Slot {
  port: WorkerPort;
  ready: boolean;
  job: Job | undefined;
}

/**
 * Starts a pool of workers, each with kernels and memory of its own: nothing is shared, so a matrix gives the same
 * bits as on the main thread, whatever runs beside it. Idle workers do not keep a Node process alive.
 * @example
 * const pool = await createPool({ workers: 2 });
 * const results = await pool.svdAll(weights, { rank: 64 });
 * pool.close();
 */
export async function createPool(options: PoolOptions = {}): Promise<Pool> {
  const platform = options.spawn ? undefined : await workerPlatform();
  const workers = options.workers ?? platform?.parallelism ?? 1;
  if (!Number.isSafeInteger(workers) || workers < 1) {
    throw new WhittleError(`createPool: workers is ${workers}, but must be a positive integer`);
  }
  await initLinalg();
  return new Pool(
    (options.spawn ?? platform?.spawn)!,
    workers,
    options.memoryLimit ?? Number.POSITIVE_INFINITY,
  );
}

/** Workers that factorize matrices side by side; made by `createPool`. `close` ends them. */
export class Pool {
  readonly workers: number;
  private readonly spawn: SpawnWorker;
  private readonly memoryLimit: number;
  private readonly slots = new Set<Slot>();
  /** Waiting jobs, the largest first. */
  private readonly queue: Job[] = [];
  private closed = false;

  /** Made by `createPool`. */
  constructor(spawn: SpawnWorker, workers: number, memoryLimit: number) {
    this.spawn = spawn;
    this.workers = workers;
    this.memoryLimit = memoryLimit;
  }

  /**
   * `svd` in a worker. The products of a large matrix with one long side are shared by all workers; `transfer` does
   * not apply to it then.
   */
  svd(a: Matrix, options: SvdOptions = {}, job: JobOptions = {}): Promise<Svd> {
    if (this.workers === 1 || options.full || !worthSplitting(a)) return this.run('svd', [a, options], job);
    const { signal } = job;
    const stage =
      <Name extends TaskName>(task: Name) =>
      (...args: Parameters<Tasks[Name]>) =>
        this.run(task, args, { signal, transfer: false });
    return splitSvd(a, options.rank ?? Math.min(a.rows, a.cols), {
      workers: this.workers,
      gramStrip: stage('gramStrip'),
      gramVectors: stage('gramVectors'),
      productStrip: stage('productStrip'),
      finishSvd: stage('finishSvd'),
    });
  }

  /**
   * `svd` of many matrices, the largest first; results in the order of the matrices. The first failure stops the
   * others.
   */
  svdAll(matrices: readonly Matrix[], options: SvdOptions = {}, batch: BatchOptions = {}): Promise<Svd[]> {
    return this.runAll(
      'svd',
      matrices.map(a => [a, options] as [Matrix, SvdOptions]),
      batch,
    );
  }

  /** Runs a task for each list of arguments; results in the same order. */
  async runAll<Name extends TaskName>(
    task: Name,
    jobs: readonly Parameters<Tasks[Name]>[],
    batch: BatchOptions = {},
  ): Promise<ReturnType<Tasks[Name]>[]> {
    const { onProgress, signal, transfer = false } = batch;
    signal?.throwIfAborted();
    // Every forecast before the first job: a batch that cannot end should not begin.
    for (const args of jobs) forecastBytes(task, args, this.memoryLimit);
    const submitted = jobs.map(args => this.submit(task, args, transfer));
    const all = submitted.reduce((sum, { work }) => sum + work, 0) || 1;
    let done = 0;
    let finished = 0;
    const results = submitted.map(async job => {
      const result = await job.promise;
      done++;
      finished += job.work;
      onProgress?.({ done, total: jobs.length, work: done === jobs.length ? 1 : finished / all });
      return result;
    });
    return this.untilAborted(Promise.all(results), submitted, signal) as Promise<ReturnType<Tasks[Name]>[]>;
  }

  /**
   * Runs one task in a worker. Waiting jobs with more arithmetic go first.
   * @throws WhittleError where the task does, where it does not fit into memory, or where its worker dies; the
   *   signal's reason where it is aborted
   */
  async run<Name extends TaskName>(
    task: Name,
    args: Parameters<Tasks[Name]>,
    options: JobOptions = {},
  ): Promise<ReturnType<Tasks[Name]>> {
    options.signal?.throwIfAborted();
    const job = this.submit(task, args, options.transfer ?? false);
    return this.untilAborted(job.promise, [job], options.signal) as Promise<ReturnType<Tasks[Name]>>;
  }

  /** Queues a job. @throws WhittleError where the pool is closed, or the job does not fit into memory */
  private submit(task: TaskName, args: readonly unknown[], transfer: boolean): Job {
    if (this.closed) throw new WhittleError('the pool is closed', { hint: 'Make a new one with createPool' });
    const job = createJob(task, args, transfer, this.memoryLimit);
    const place = this.queue.findIndex(waiting => waiting.work < job.work);
    this.queue.splice(place < 0 ? this.queue.length : place, 0, job);
    this.dispatch();
    return job;
  }

  /** The promise; where the signal comes first, or it fails, the jobs that are left are stopped. */
  private async untilAborted<Result>(
    promise: Promise<Result>,
    jobs: Job[],
    signal?: AbortSignal,
  ): Promise<Result> {
    const abort = () => {
      for (const job of jobs) this.stop(job, signal?.reason);
    };
    signal?.addEventListener('abort', abort);
    try {
      return await promise;
    } catch (error) {
      for (const job of jobs) this.stop(job, error);
      await Promise.allSettled(jobs.map(job => job.promise));
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends all workers. Jobs that wait or run are rejected. */
  close(): void {
    this.closed = true;
    const error = new WhittleError('the pool was closed before the job ended');
    for (const job of this.queue.splice(0)) job.reject(error);
    for (const slot of [...this.slots]) this.drop(slot, error);
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      const slot = [...this.slots].find(({ ready, job }) => ready && !job);
      if (!slot) {
        const starting = [...this.slots].filter(({ ready }) => !ready).length;
        if (this.slots.size < this.workers && starting < this.queue.length) this.start();
        else return;
        continue;
      }
      const running = [...this.slots].reduce((sum, { job }) => sum + (job?.bytes ?? 0), 0);
      const next = this.queue.findIndex(job => running + job.bytes <= this.memoryLimit);
      if (next < 0) return;
      this.send(slot, this.queue.splice(next, 1)[0]!);
    }
  }

  private start(): void {
    const slot: Slot = { port: undefined as unknown as WorkerPort, ready: false, job: undefined };
    this.slots.add(slot);
    slot.port = this.spawn({
      message: message => this.receive(slot, message),
      failure: reason => this.fail(slot, reason),
    });
    slot.port.post({ module: kernelModule() }, []);
  }

  private send(slot: Slot, job: Job): void {
    slot.job = job;
    slot.port.keepAlive(true);
    try {
      slot.port.post({ task: job.task, args: job.args }, job.transfer ? [...buffersOf(job.args)] : []);
    } catch (error) {
      // Arguments that cannot be cloned or were transferred before.
      slot.job = undefined;
      slot.port.keepAlive(false);
      job.reject(error);
    }
    job.args = [];
  }

  private receive(slot: Slot, message: FromWorker): void {
    if (!this.slots.has(slot)) return;
    if ('ready' in message) {
      slot.ready = true;
      slot.port.keepAlive(false);
    } else {
      const job = slot.job;
      slot.job = undefined;
      slot.port.keepAlive(false);
      if ('error' in message) job?.reject(deserializeError(message.error));
      else job?.resolve(message.result);
    }
    this.dispatch();
  }

  /** A worker died: its job fails; one that never came up takes a waiting job with it, so that nobody waits forever. */
  private fail(slot: Slot, reason: string): void {
    if (!this.slots.has(slot)) return;
    const error = new WhittleError(`a linear-algebra worker died: ${reason}`, {
      hint: 'Out of memory is the usual cause: use fewer workers or a memoryLimit',
    });
    if (!slot.ready) slot.job = this.queue.shift();
    this.drop(slot, error);
    this.dispatch();
  }

  /** Rejects a job that has not ended: takes it from the queue, or ends the worker that runs it. */
  private stop(job: Job, reason: unknown): void {
    const place = this.queue.indexOf(job);
    if (place >= 0) {
      this.queue.splice(place, 1);
      job.reject(reason);
      return;
    }
    const slot = [...this.slots].find(candidate => candidate.job === job);
    if (!slot) return;
    this.drop(slot, reason);
    this.dispatch();
  }

  /** Ends a worker and rejects its job. */
  private drop(slot: Slot, reason: unknown): void {
    this.slots.delete(slot);
    const job = slot.job;
    slot.job = undefined;
    slot.port.terminate();
    job?.reject(reason);
  }
}
