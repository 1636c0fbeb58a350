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
  let single = true;
  const archive = new Gunzip((chunk, final) => {
    chunks.push(chunk);
    size += chunk.length;
    ended = final;
    if (size > limit) throw new WhittleError(`unpacks to more than ${limit} bytes`, place);
  });
  // Called at the second member and those after it.
  archive.onmember = () => {
    single = false;
  };
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
  if (single) checkSum(bytes, whole, place);
  return whole;
}

/** Compares CRC and length with the archive's last eight bytes, which the library does not look at. */
function checkSum(packed: Uint8Array, whole: Uint8Array, place: { file?: string }): void {
  const end = new DataView(packed.buffer, packed.byteOffset + packed.length - 8, 8);
  if (end.getUint32(0, true) === crc32(whole) && end.getUint32(4, true) === whole.length % 2 ** 32) return;
  throw new WhittleError('the checksum of the gzip archive differs', {
    ...place,
    hint: 'Get the file again',
  });
}

/** CRC-32 as gzip and zip use it (polynomial 0xEDB88320, reflected). */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
