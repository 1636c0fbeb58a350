import { type ErrorPlace, WhittleError } from '../graph/errors.js';
import type { ReadLimits } from './read-message.js';
import type { ByteSource } from './source.js';

/**
 * Finds the bytes of an external data file. `location` is what the model says: untrusted, meant to be relative
 * to the model's folder. `value` names the tensor, for errors.
 * @throws WhittleError where there is no such file or it must not be read
 */
export type ExternalDataResolver = (location: string, value: string) => ByteSource | Uint8Array | ArrayBuffer;

/** Bounds on what a file may make us do; the defaults are far above any real model. */
export interface DecodeLimits extends ReadLimits {
  /** Number of dimensions of a tensor. */
  rank: number;
}

export const DEFAULT_LIMITS: DecodeLimits = { depth: 100, items: 4_000_000, rank: 64 };

/** What the parts of the decoder share. */
export interface DecodeContext {
  readonly file: string | undefined;
  readonly limits: DecodeLimits;
  /** The external file of that name, opened once; `value` names the tensor that asks. */
  external(location: string, value: string): ByteSource;
}

/** Throws a WhittleError about the file that is being decoded. */
export function failDecode(
  context: DecodeContext,
  problem: string,
  place: Omit<ErrorPlace, 'file'> & { hint?: string; cause?: unknown } = {},
): never {
  throw new WhittleError(problem, { hint: 'Export the model again', ...place, file: context.file });
}
