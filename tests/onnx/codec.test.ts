import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemorySource } from '../../src/onnx/index.js';
import { concatPayloads, readPayload } from '../../src/onnx/payload.js';
import { readMessage } from '../../src/onnx/read-message.js';
import { type Field, type Message, type MessageName, ONNX } from '../../src/onnx/schema.js';
import type { ByteSource } from '../../src/onnx/source.js';
import { decodeText, encodeText } from '../../src/onnx/utf8.js';
import { writeMessage } from '../../src/onnx/write-message.js';

const LIMITS = { depth: 100, items: 1e6 };

const NAMES = Object.keys(ONNX) as MessageName[];

const bytesOf = <Name extends MessageName>(name: Name, message: Message<Name>): Uint8Array =>
  readPayload(concatPayloads(writeMessage(name, message).parts));

const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(narrow);
const uint64 = fc.bigInt(0n, 2n ** 64n - 1n).map(narrow);
const SCALARS: Record<string, fc.Arbitrary<unknown>> = {
  float: fc.float({ noNaN: true }),
  double: fc.double({ noNaN: true }),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int64: fc.oneof(int64, fc.integer()),
  uint64,
  // Also what is no UTF-8.
  string: fc.uint8Array({ maxLength: 20 }).map(decodeText),
  bytes: fc.uint8Array({ maxLength: 20 }),
  payload: fc.uint8Array({ maxLength: 20 }),
};

function narrow(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** Any message that the schema allows, nested a few levels. */
function messageOf(name: MessageName, depth: number): fc.Arbitrary<object> {
  const fields = Object.entries(ONNX[name] as Record<string, Field>).flatMap(([key, field]) => {
    if (field.label === 'packed') return [[key, fc.uint8Array({ minLength: 1, maxLength: 20 })] as const];
    if (!(field.type in SCALARS) && depth === 0) return [];
    const item =
      SCALARS[field.type] ?? fc.constant(null).chain(() => messageOf(field.type as MessageName, depth - 1));
    return [
      [key, field.label === 'repeated' ? fc.array(item, { minLength: 1, maxLength: 3 }) : item] as const,
    ];
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [], noNullPrototype: true });
}

const anyMessage = fc.constantFrom(...NAMES).chain(name => fc.tuple(fc.constant(name), messageOf(name, 2)));

/** A source that is not in memory, as a file is. */
class Disk implements ByteSource {
  readonly size: number;
  largestRead = 0;
  private readonly data: Uint8Array;

  constructor(data: Uint8Array) {
    this.data = data;
    this.size = data.length;
  }

  read(offset: number, length: number): Uint8Array {
    this.largestRead = Math.max(this.largestRead, length);
    return this.data.slice(offset, offset + length);
  }
}

describe('message codec', () => {
  it('reads what it wrote, for any message, and knows its length', () => {
    fc.assert(
      fc.property(anyMessage, ([name, message]) => {
        const encoded = writeMessage(name, message);
        const bytes = readPayload(concatPayloads(encoded.parts));
        expect(bytes.byteLength).toBe(encoded.byteLength);
        for (const source of [new MemorySource(bytes), new Disk(bytes)]) {
          const back = readMessage(name, source, LIMITS);
          if (!isDeepStrictEqual(back, message)) expect(back).toEqual(message);
        }
      }),
      { numRuns: 120 },
    );
  });

  it('treats two halves of a message as one, as protobuf does', () => {
    fc.assert(
      fc.property(messageOf('GraphProto', 1), messageOf('GraphProto', 1), (a, b) => {
        const both = new Uint8Array([
          ...bytesOf('ModelProto', { graph: a }),
          ...bytesOf('ModelProto', { graph: b }),
        ]);
        const { graph } = readMessage('ModelProto', new MemorySource(both), LIMITS);
        const left = a as Message<'GraphProto'>;
        const right = b as Message<'GraphProto'>;
        expect(graph!.name).toEqual(right.name ?? left.name);
        expect(graph!.input ?? []).toEqual([...(left.input ?? []), ...(right.input ?? [])]);
      }),
    );
  });

  it('joins numbers that are packed in several pieces or not at all', () => {
    // TensorProto.float_data: [1] packed, 2 alone, 3 alone, [] packed, [4] packed.
    const float = (value: number) => [...new Uint8Array(Float32Array.of(value).buffer)];
    const bytes = Uint8Array.from(
      [
        [0x22, 4, ...float(1)],
        [0x25, ...float(2)],
        [0x25, ...float(3)],
        [0x22, 0],
        [0x22, 4, ...float(4)],
      ].flat(),
    );
    const { floatData } = readMessage('TensorProto', new MemorySource(bytes), LIMITS);
    expect(new Float32Array(readPayload(floatData!).slice().buffer)).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it('leaves weights where they are', () => {
    const rawData = new Uint8Array(1_000_000).fill(7);
    const disk = new Disk(bytesOf('ModelProto', { graph: { initializer: [{ rawData }], name: 'after' } }));
    const { graph } = readMessage('ModelProto', disk, LIMITS);
    expect(graph!.name).toBe('after');
    expect(disk.largestRead).toBeLessThan(100_000);
    expect(Buffer.compare(readPayload(graph!.initializer![0]!.rawData!), rawData)).toBe(0);
  });
});

describe('text', () => {
  it('keeps any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        expect(encodeText(decodeText(bytes))).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps any text, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), text => {
        expect(decodeText(encodeText(text))).toBe(text);
      }),
    );
    expect(decodeText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
  });

  it('keeps names apart that differ only in broken bytes', () => {
    expect(decodeText(Uint8Array.of(0x61, 0xff))).not.toBe(decodeText(Uint8Array.of(0x61, 0xfe)));
  });
});
