import { Gunzip } from 'fflate';
import { WhittleError } from '../graph/errors.js';

/** Pieces small enough that a bomb is noticed long before memory runs out: deflate grows at most 1032-fold. */
const STEP = 64 * 1024;

/**
 * Unpacks gzip; other bytes come back as they are.
 * @throws WhittleError for a broken or cut-off archive, and for one of more than `limit` bytes
 */
export function gunzip(bytes: Uint8Array, limit: number, file?: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const place = file === undefined ? {} : { file };
  const chunks: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  const archive = new Gunzip((chunk, final) => {
    chunks.push(chunk);
    size += chunk.length;
    ended = final;
    if (size > limit) throw new WhittleError(`unpacks to more than ${limit} bytes`, place);
  });
  try {
    for (let at = 0; at < bytes.length; at += STEP) {
      archive.push(bytes.subarray(at, at + STEP), at + STEP >= bytes.length);
    }
  } catch (cause) {
    if (cause instanceof WhittleError) throw cause;
    throw new WhittleError('broken gzip archive', { ...place, hint: 'Get the file again', cause });
  }
  if (!ended) throw new WhittleError('the gzip archive is cut off', { ...place, hint: 'Get the file again' });
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
