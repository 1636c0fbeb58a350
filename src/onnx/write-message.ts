import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type Payload, RESIDENT_BYTES } from './payload.js';
import { type Field, type Message, type MessageName, ONNX } from './schema.js';
import { encodeText, hasBrokenBytes } from './utf8.js';

/**
 * An encoded message as the pieces of its bytes: structure in memory, weights where they are, to be read when
 * their turn comes. So its length, which protobuf puts in front, is known before any weight is touched.
 */
export interface Encoded {
  readonly byteLength: number;
  readonly parts: readonly Payload[];
}

const TABLES = new Map<string, [key: string, field: Field][]>(
  Object.entries(ONNX).map(([name, fields]) => [name, Object.entries(fields)]),
);

/** Encodes a message: its fields in the order of the schema, then those that the schema does not know. */
export function writeMessage<Name extends MessageName>(name: Name, message: Message<Name>): Encoded {
  return write(name, message);
}

function write(name: string, message: Readonly<Record<string, unknown>>): Encoded {
  const out = new Pieces();
  for (const [key, field] of TABLES.get(name)!) {
    const value = message[key];
    if (value === undefined) continue;
    if (field.label === 'repeated') for (const item of value as unknown[]) writeField(out, field, item);
    else writeField(out, field, value);
  }
  for (const kept of (message.unknown as Payload[] | undefined) ?? []) out.payload(kept);
  return out.finish();
}

function writeField(out: Pieces, field: Field, value: unknown): void {
  const { writer } = out;
  if (field.label === 'packed' || field.type === 'payload') {
    const payload = value as Payload;
    out.delimited(field.no, { byteLength: payload.byteLength, parts: [payload] });
    return;
  }
  switch (field.type) {
    case 'float':
      // Overflow to infinity is what float32 does; the writer alone would refuse it.
      writer.tag(field.no, WireType.Bit32).float(Math.fround(value as number));
      break;
    case 'double':
      writer.tag(field.no, WireType.Bit64).double(value as number);
      break;
    case 'int32':
      writer.tag(field.no, WireType.Varint).int32(value as number);
      break;
    case 'int64':
      writer.tag(field.no, WireType.Varint).int64(value as number | bigint);
      break;
    case 'uint64':
      writer.tag(field.no, WireType.Varint).uint64(value as number | bigint);
      break;
    case 'string': {
      const text = value as string;
      writer.tag(field.no, WireType.LengthDelimited);
      if (hasBrokenBytes(text)) writer.bytes(encodeText(text));
      else writer.string(text);
      break;
    }
    case 'bytes': {
      const bytes = value as Uint8Array;
      out.delimited(field.no, { byteLength: bytes.byteLength, parts: [bytes] });
      break;
    }
    default:
      out.delimited(field.no, write(field.type, value as Record<string, unknown>));
  }
}

/** Collects bytes; what is short is copied into the running piece, what is long becomes a piece of its own. */
class Pieces {
  readonly writer = new BinaryWriter();
  private readonly parts: Payload[] = [];

  payload(payload: Payload): void {
    if (payload instanceof Uint8Array && payload.byteLength <= RESIDENT_BYTES) this.writer.raw(payload);
    else {
      this.flush();
      this.parts.push(payload);
    }
  }

  delimited(no: number, content: Encoded): void {
    this.writer.tag(no, WireType.LengthDelimited).uint64(content.byteLength);
    for (const part of content.parts) this.payload(part);
  }

  finish(): Encoded {
    this.flush();
    return {
      parts: this.parts,
      byteLength: this.parts.reduce((sum, part) => sum + part.byteLength, 0),
    };
  }

  private flush(): void {
    const piece = this.writer.finish();
    if (piece.byteLength > 0) this.parts.push(piece);
  }
}
