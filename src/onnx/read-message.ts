import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { WhittleError } from '../graph/errors.js';
import { Cursor } from './cursor.js';
import { concatPayloads, type Payload, takePayload } from './payload.js';
import { type Field, type Message, type MessageName, ONNX } from './schema.js';
import type { ByteSource } from './source.js';
import { decodeText } from './utf8.js';

export interface ReadLimits {
  /** How deep messages may be nested. Protobuf's own libraries stop at 100. */
  depth: number;
  /** How many messages and byte strings there may be: each takes two bytes in a file, but hundreds in memory. */
  items: number;
}

type Content = Record<string, unknown>;
interface Entry {
  readonly key: string;
  readonly field: Field;
}

const BY_NUMBER = new Map<string, ReadonlyMap<number, Entry>>(
  Object.entries(ONNX).map(([name, fields]) => [
    name,
    new Map(Object.entries(fields).map(([key, field]: [string, Field]) => [field.no, { key, field }])),
  ]),
);

const SCALAR_WIRES: Readonly<Record<string, WireType>> = {
  float: WireType.Bit32,
  double: WireType.Bit64,
  int32: WireType.Varint,
  int64: WireType.Varint,
  uint64: WireType.Varint,
};

/**
 * Decodes a whole source as one message. Weights stay in the source; fields that the schema does not know, or
 * that come in a wire type it does not expect, are kept under `unknown`.
 * @throws WhittleError where the bytes are no such message or pass the limits
 */
export function readMessage<Name extends MessageName>(
  name: Name,
  source: ByteSource,
  limits: ReadLimits,
): Message<Name> {
  const reader = new MessageReader(source, limits);
  return reader.read(name, source.size, limits.depth, {}) as Message<Name>;
}

class MessageReader {
  private readonly cursor: Cursor;
  private itemsLeft: number;
  private readonly limits: ReadLimits;

  constructor(source: ByteSource, limits: ReadLimits) {
    this.cursor = new Cursor(source);
    this.limits = limits;
    this.itemsLeft = limits.items;
  }

  read(name: string, end: number, depth: number, into: Content): Content {
    const { cursor } = this;
    if (depth <= 0) cursor.fail('messages are nested too deeply');
    this.countItem();
    const entries = BY_NUMBER.get(name)!;
    const unknown = new UnknownFields();
    const packs = new Map<string, PackedField>();
    while (cursor.position < end) {
      const start = cursor.position;
      const [no, wire] = cursor.tag();
      const entry = entries.get(no);
      if (!entry || !this.readField(entry, wire, end, depth, into, packs)) {
        cursor.skipField(no, wire, depth);
        unknown.add(start, cursor.position);
      }
      if (cursor.position > end) cursor.fail(`a ${name} runs over its end at ${end}`, start);
    }
    for (const [key, pack] of packs) {
      const before = into[key] as Payload | undefined;
      into[key] = before ? concatPayloads([before, pack.finish()]) : pack.finish();
    }
    const kept = unknown.take(cursor.source);
    if (kept.length > 0) into.unknown = [...((into.unknown as Payload[] | undefined) ?? []), ...kept];
    return into;
  }

  /** Reads the content of one field; false where its wire type is not what the schema says. */
  private readField(
    { key, field }: Entry,
    wire: WireType,
    end: number,
    depth: number,
    into: Content,
    packs: Map<string, PackedField>,
  ): boolean {
    const { cursor } = this;
    const scalarWire = SCALAR_WIRES[field.type];
    if (scalarWire === undefined) {
      if (wire !== WireType.LengthDelimited) return false;
      const length = this.lengthWithin(end);
      // A field that comes twice is merged where it is a message; otherwise the last one counts.
      const before = field.label === 'optional' ? (into[key] as Content | undefined) : undefined;
      const value = this.readDelimited(field.type, length, depth, before);
      if (field.label === 'repeated') push(into, key, value);
      else into[key] = value;
      return true;
    }
    if (wire !== scalarWire && !(wire === WireType.LengthDelimited && field.label !== 'optional'))
      return false;
    if (field.label === 'packed') {
      const pack = packs.get(key) ?? new PackedField();
      packs.set(key, pack);
      if (wire === WireType.LengthDelimited) pack.add(cursor.payload(this.lengthWithin(end)));
      else {
        const start = cursor.position;
        cursor.skipField(field.no, wire, depth);
        pack.addElement(cursor.source.read(start, cursor.position - start));
      }
    } else if (field.label === 'optional') {
      into[key] = this.readScalar(field.type);
    } else {
      const stop = wire === WireType.LengthDelimited ? this.lengthWithin(end) + cursor.position : 0;
      do {
        if (cursor.position !== stop) push(into, key, this.readScalar(field.type));
      } while (cursor.position < stop);
      if (stop > 0 && cursor.position !== stop) cursor.fail('packed numbers run over their end');
    }
    return true;
  }

  private lengthWithin(end: number): number {
    const length = this.cursor.length();
    if (length > end - this.cursor.position) {
      this.cursor.fail(`a field of ${length} bytes runs over the end of its message at ${end}`);
    }
    return length;
  }

  private readDelimited(type: string, length: number, depth: number, before: Content | undefined): unknown {
    const { cursor } = this;
    switch (type) {
      case 'string':
        return decodeText(cursor.text(length));
      case 'bytes':
        this.countItem();
        return cursor.bytes(length);
      case 'payload':
        return cursor.payload(length);
      default:
        return this.read(type, cursor.position + length, depth - 1, before ?? {});
    }
  }

  private countItem(): void {
    if (--this.itemsLeft >= 0) return;
    throw new WhittleError(`the file has more than ${this.limits.items} messages`, {
      file: this.cursor.source.name,
      hint: 'If you trust it, raise `limits.items`',
    });
  }

  private readScalar(type: string): number | bigint {
    switch (type) {
      case 'float':
        return this.cursor.float();
      case 'double':
        return this.cursor.double();
      case 'int32':
        return this.cursor.int32();
      case 'int64':
        return this.cursor.int64();
      default:
        return this.cursor.uint64();
    }
  }
}

function push(into: Content, key: string, value: unknown): void {
  const list = into[key] as unknown[] | undefined;
  if (list) list.push(value);
  else into[key] = [value];
}

/** Packed numbers; writers may split them over several fields, or not pack them at all. */
class PackedField {
  private readonly parts: Payload[] = [];
  private elements: BinaryWriter | undefined;

  add(part: Payload): void {
    if (part.byteLength === 0) return;
    this.flush();
    this.parts.push(part);
  }

  addElement(bytes: Uint8Array): void {
    this.elements ??= new BinaryWriter();
    this.elements.raw(bytes);
  }

  finish(): Payload {
    this.flush();
    return concatPayloads(this.parts);
  }

  private flush(): void {
    if (this.elements) this.parts.push(this.elements.finish());
    this.elements = undefined;
  }
}

/** Ranges of fields to keep as they are; neighbours become one. */
class UnknownFields {
  private readonly ranges: { start: number; end: number }[] = [];

  add(start: number, end: number): void {
    const last = this.ranges.at(-1);
    if (last?.end === start) last.end = end;
    else this.ranges.push({ start, end });
  }

  take(source: ByteSource): Payload[] {
    return this.ranges.map(({ start, end }) => takePayload(source, start, end - start));
  }
}
