import { WhittleError } from '../graph/errors.js';

/** Random access to bytes: a file in Node, a buffer in the browser. */
export interface ByteSource {
  /** Total length in bytes. */
  readonly size: number;
  /** Path or name, for messages. */
  readonly name?: string | undefined;
  /** Whether all bytes are in memory already, so that `read` gives a view and costs nothing. */
  readonly bytes?: boolean;
  /** Reads `length` bytes from `offset`. The caller must not write to them. @throws WhittleError where it fails */
  read(offset: number, length: number): Uint8Array;
}

/** A source over bytes in memory; reads are views. */
export class MemorySource implements ByteSource {
  readonly bytes = true;
  readonly size: number;
  readonly name: string | undefined;
  private readonly data: Uint8Array;

  constructor(data: Uint8Array, name?: string) {
    this.data = data;
    this.size = data.byteLength;
    this.name = name;
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new WhittleError(`bytes ${offset} to ${offset + length} lie outside of ${this.size} bytes`, {
        file: this.name,
      });
    }
    return this.data.subarray(offset, offset + length);
  }
}

/** Accepts what callers have: a source, bytes, or a buffer. */
export function asSource(input: ByteSource | Uint8Array | ArrayBuffer, name?: string): ByteSource {
  if (input instanceof Uint8Array) return new MemorySource(input, name);
  if (input instanceof ArrayBuffer) return new MemorySource(new Uint8Array(input), name);
  return input;
}
