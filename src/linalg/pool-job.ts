import { WhittleError } from '../graph/errors.js';
import { type Matrix, toDense } from './matrix.js';
import { bytesOf, describeTask, type TaskName, workOf } from './tasks.js';
import type { Multiway } from './unfold.js';
import { assertFits } from './workspace.js';

/** One task for a worker, waiting or running. */
export interface Job {
  task: TaskName;
  args: unknown[];
  transfer: boolean;
  work: number;
  bytes: number;
  promise: Promise<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** @param memoryLimit bytes of WebAssembly memory that it may take. @throws WhittleError where it needs more */
export const createJob = (
  task: TaskName,
  args: readonly unknown[],
  transfer: boolean,
  memoryLimit: number,
): Job => ({
  task,
  args: args.map(withoutSlack),
  transfer,
  work: workOf(args),
  bytes: forecastBytes(task, args, memoryLimit),
  ...deferred(),
});

/** Bytes of WebAssembly memory that a task needs. @throws WhittleError where that is too much */
export function forecastBytes(task: TaskName, args: readonly unknown[], memoryLimit: number): number {
  const bytes = bytesOf(task, args);
  const what = describeTask(task, args);
  assertFits(bytes, what);
  if (bytes > memoryLimit) {
    throw new WhittleError(
      `${what} needs ${toMiB(bytes)} MiB of memory, but the pool may use ${toMiB(memoryLimit)} MiB`,
      { hint: 'Raise memoryLimit, or split the matrix' },
    );
  }
  return bytes;
}

const toMiB = (bytes: number): number => Math.ceil(bytes / 2 ** 20);

/** A promise and the functions that settle it. It counts as handled: whoever waits for it hears of a rejection. */
function deferred(): Pick<Job, 'promise' | 'resolve' | 'reject'> {
  let resolve: Job['resolve'] = () => {};
  let reject: Job['reject'] = () => {};
  const promise = new Promise<unknown>((onResult, onError) => {
    resolve = onResult;
    reject = onError;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Cloning a view would clone all of the memory behind it: a part of a larger array is cut out first. */
function withoutSlack(arg: unknown): unknown {
  if (typeof arg !== 'object' || arg === null || !('data' in arg)) return arg;
  const { data } = arg as Matrix | Multiway;
  const whole = data.byteLength === data.buffer.byteLength && data.buffer instanceof ArrayBuffer;
  if (!('rows' in arg)) return whole ? arg : { ...arg, data: data.slice() };
  const a = arg as Matrix;
  if (whole && data.length === a.rows * a.cols) return a;
  return a.stride === a.cols ? { ...a, data: data.slice(0, a.rows * a.cols) } : toDense(a);
}
