import { type Matrix, toDense } from './matrix.js';
import type { TaskName } from './tasks.js';
import type { Multiway } from './unfold.js';

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

/** A promise and the functions that settle it. It counts as handled: whoever waits for it hears of a rejection. */
export function deferred(): Pick<Job, 'promise' | 'resolve' | 'reject'> {
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
export function withoutSlack(arg: unknown): unknown {
  if (typeof arg !== 'object' || arg === null || !('data' in arg)) return arg;
  const { data } = arg as Matrix | Multiway;
  const whole = data.byteLength === data.buffer.byteLength && data.buffer instanceof ArrayBuffer;
  if (!('rows' in arg)) return whole ? arg : { ...arg, data: data.slice() };
  const a = arg as Matrix;
  if (whole && data.length === a.rows * a.cols) return a;
  return a.stride === a.cols ? { ...a, data: data.slice(0, a.rows * a.cols) } : toDense(a);
}
