import { type ErrorPlace, WhittleError } from '../graph/errors.js';
import type { TaskName } from './tasks.js';

/** From the pool to a worker: the compiled kernels once, then jobs one after another. */
export type ToWorker = { module: WebAssembly.Module } | { task: TaskName; args: unknown[] };

/** From a worker to the pool: `ready` once, then one answer a job. */
export type FromWorker = { ready: true } | { result: unknown } | { error: SerializedError };

/** An error as plain data: structured cloning would lose its class and its fields. */
export interface SerializedError {
  message: string;
  /** Set for errors of ours, whose message needs no stack. */
  place?: ErrorPlace;
  hint?: string | undefined;
  stack?: string | undefined;
}

export function serializeError(error: unknown): SerializedError {
  if (error instanceof WhittleError) return { message: error.message, place: error.place, hint: error.hint };
  if (error instanceof Error) return { message: `${error.name}: ${error.message}`, stack: error.stack };
  return { message: String(error) };
}

export function deserializeError(error: SerializedError): Error {
  if (error.place === undefined) return new Error(error.message, { cause: error.stack });
  // The message holds place and hint already: passing them to the constructor would say them twice.
  return Object.assign(new WhittleError(error.message), { place: error.place, hint: error.hint });
}

/** The buffers inside of a result or of arguments, each once, to be handed over instead of copied. */
export function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) buffersOf(part, found);
  }
  return found;
}
