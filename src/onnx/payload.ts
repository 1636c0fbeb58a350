import { WhittleError } from '../graph/errors.js';
import type { TensorStorage } from '../graph/tensor.js';
import type { ByteSource } from './source.js';

/** Bytes of a message field: in memory, or still in the file. */
export type Payload = Uint8Array | TensorStorage;

/** Payloads up to this many bytes are read at once; longer ones when they are asked for. */
export const RESIDENT_BYTES = 4096;

export const readPayload = (payload: Payload): Uint8Array =>
  payload instanceof Uint8Array ? payload : payload.read();

/** A part of a source that is read when it is asked for. */
class SourceRange implements TensorStorage {
  readonly source: ByteSource;
  readonly offset: number;
  readonly byteLength: number;

  constructor(source: ByteSource, offset: number, byteLength: number) {
    this.source = source;
    this.offset = offset;
    this.byteLength = byteLength;
  }

  read(): Uint8Array {
    const bytes = this.source.read(this.offset, this.byteLength);
    if (bytes.byteLength !== this.byteLength) {
      throw new WhittleError(
        `${this.byteLength} bytes at ${this.offset} were asked for, ${bytes.byteLength} came`,
        { file: this.source.name, hint: 'The file changed since it was opened; load the model again' },
      );
    }
    return bytes;
  }
}

/** Bytes that a function makes from others when they are asked for, e.g. elements of another encoding. */
export class DerivedBytes implements TensorStorage {
  readonly byteLength: number;
  readonly read: () => Uint8Array;

  constructor(byteLength: number, read: () => Uint8Array) {
    this.byteLength = byteLength;
    this.read = read;
  }
}

/** A range of a source as a payload: short ones in memory, as a copy that keeps nothing else alive. */
export function takePayload(source: ByteSource, offset: number, byteLength: number): Payload {
  const range = new SourceRange(source, offset, byteLength);
  if (source.bytes) return range.read();
  return byteLength <= RESIDENT_BYTES ? range.read() : range;
}

/** Several payloads in a row as one. */
export function concatPayloads(parts: readonly Payload[]): Payload {
  if (parts.length <= 1) return parts[0] ?? new Uint8Array(0);
  const byteLength = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const read = () => {
    const all = new Uint8Array(byteLength);
    let at = 0;
    for (const part of parts) {
      all.set(readPayload(part), at);
      at += part.byteLength;
    }
    return all;
  };
  return parts.every(part => part instanceof Uint8Array) ? read() : new DerivedBytes(byteLength, read);
}

/** The bytes of a payload in order, a little at a time. */
export function* payloadChunks(payload: Payload): Generator<Uint8Array> {
  if (!(payload instanceof SourceRange)) {
    yield readPayload(payload);
    return;
  }
  const step = 1024 * 1024;
  for (let at = 0; at < payload.byteLength; at += step) {
    yield payload.source.read(payload.offset + at, Math.min(step, payload.byteLength - at));
  }
}
