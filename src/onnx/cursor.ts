import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { WhittleError } from '../graph/errors.js';
import { type Payload, takePayload } from './payload.js';
import type { ByteSource } from './source.js';

const WINDOW = 64 * 1024;
/** No name or documentation of a sane model comes near this. */
const MAX_TEXT = 64 * 1024 * 1024;
/** A varint has at most ten bytes. */
const VARINT_BYTES = 10;

/**
 * Reads protobuf primitives from a source, front to back, through a small window, so that a file of any size
 * costs 64 KB. Every read is checked against the end of the source: damaged files end in a WhittleError.
 */
export class Cursor {
  readonly source: ByteSource;
  private base = 0;
  private window: Uint8Array = new Uint8Array(0);
  private reader = new BinaryReader(this.window);

  constructor(source: ByteSource) {
    this.source = source;
  }

  /** Offset in the source of the next byte. */
  get position(): number {
    return this.base + this.reader.pos;
  }

  /** Moves forward without reading. */
  skip(length: number): void {
    if (length > this.source.size - this.position) this.fail(`${length} more bytes are needed`);
    if (this.reader.pos + length <= this.window.byteLength) this.reader.pos += length;
    else this.load(this.position + length);
  }

  /** Field number and wire type. */
  tag(): [field: number, wire: WireType] {
    const start = this.position;
    const tag = Number(this.uint64());
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (field === 0 || field > 0x1fffffff || wire > 5) {
      this.fail(`field ${field} of wire type ${wire} does not exist`, start);
    }
    return [field, wire];
  }

  /** The length of what follows, known to fit into the source. */
  length(): number {
    const start = this.position;
    const length = this.uint64();
    if (length > this.source.size - this.position) {
      this.fail(`a field claims ${length} bytes, but ${this.source.size - this.position} are left`, start);
    }
    return Number(length);
  }

  int32(): number {
    this.needVarint();
    return this.reader.int32();
  }

  int64(): number | bigint {
    if (this.needVarint() <= 4) return this.reader.uint32();
    return narrow(BigInt(this.reader.int64()));
  }

  uint64(): number | bigint {
    if (this.needVarint() <= 4) return this.reader.uint32();
    return narrow(BigInt(this.reader.uint64()));
  }

  float(): number {
    this.need(4);
    return this.reader.float();
  }

  double(): number {
    this.need(8);
    return this.reader.double();
  }

  /** The next bytes, copied where the source is not in memory. */
  bytes(length: number): Uint8Array {
    const start = this.position;
    this.skip(length);
    return this.source.read(start, length);
  }

  text(length: number): Uint8Array {
    if (length > MAX_TEXT) this.fail(`a text of ${length} bytes is too long`);
    this.need(length);
    const bytes = this.window.subarray(this.reader.pos, this.reader.pos + length);
    this.reader.pos += length;
    return bytes;
  }

  payload(length: number): Payload {
    const start = this.position;
    this.skip(length);
    return takePayload(this.source, start, length);
  }

  /** Skips the content of a field whose tag was just read. */
  skipField(field: number, wire: WireType, depth: number): void {
    switch (wire) {
      case WireType.Varint:
        this.skip(this.needVarint());
        break;
      case WireType.Bit64:
        this.skip(8);
        break;
      case WireType.Bit32:
        this.skip(4);
        break;
      case WireType.LengthDelimited:
        this.skip(this.length());
        break;
      case WireType.StartGroup:
        for (;;) {
          if (depth <= 0) this.fail('messages are nested too deeply');
          const [innerField, innerWire] = this.tag();
          if (innerWire === WireType.EndGroup) {
            if (innerField !== field) this.fail('a group ends that did not start');
            break;
          }
          this.skipField(innerField, innerWire, depth - 1);
        }
        break;
      default:
        this.fail('a group ends that did not start');
    }
  }

  fail(problem: string, at: number = this.position): never {
    throw new WhittleError(`the file is damaged at byte ${at}: ${problem}`, {
      file: this.source.name,
      hint: 'It is truncated or not an ONNX model; fetch or export it again',
    });
  }

  /** Makes sure that a whole varint is in the window and returns how long it is. */
  private needVarint(): number {
    const left = this.source.size - this.position;
    if (this.reader.pos + VARINT_BYTES > this.window.byteLength) this.need(Math.min(VARINT_BYTES, left));
    const { window } = this;
    const start = this.reader.pos;
    let length = 1;
    while (length <= VARINT_BYTES && window[start + length - 1]! >= 0x80) length++;
    if (length > VARINT_BYTES || (length === VARINT_BYTES && window[start + 9]! > 1)) {
      this.fail('a number has more than 64 bits');
    }
    if (length > left) this.fail('the file ends inside a number');
    return length;
  }

  private need(length: number): void {
    const { position } = this;
    if (length > this.source.size - position) this.fail(`${length} more bytes are needed`);
    if (this.reader.pos + length > this.window.byteLength) this.load(position, length);
  }

  private load(position: number, atLeast = 0): void {
    const length = Math.min(this.source.size - position, Math.max(WINDOW, atLeast));
    this.base = position;
    this.window = this.source.read(position, length);
    this.reader = new BinaryReader(this.window);
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
