import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteLengthOf, DTYPES } from '../../src/graph/dtype.js';
import { sizeOf, Tensor } from '../../src/graph/tensor.js';
import { safetensorsName } from '../../src/weights/dtypes.js';
import { encodeSafetensors, readSafetensors } from '../../src/weights/safetensors.js';
import { openSafetensors, writeSafetensors } from '../../src/weights/safetensors.node.js';

const encode = (tensors: ReadonlyMap<string, Tensor>, metadata?: Record<string, string>): Uint8Array =>
  Buffer.concat([...encodeSafetensors(tensors, metadata)]);

/** A file from a header of our choice. */
function file(header: string | object, size: number, length?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(size)]);
}

const entry = (start: number, end: number, shape: unknown = [(end - start) / 4], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [start, end],
});

const SUPPORTED = DTYPES.filter(dtype => safetensorsName(dtype) !== undefined);

describe('safetensors', () => {
  it('come back as they were, whatever dtype, shape and name', () => {
    const tensor = fc
      .tuple(fc.constantFrom(...SUPPORTED), fc.array(fc.nat(4), { maxLength: 3 }))
      .chain(([dtype, dims]) => {
        const length = byteLengthOf(dtype, sizeOf(dims));
        return fc
          .uint8Array({ minLength: length, maxLength: length })
          .map(bytes => new Tensor(dtype, dims, bytes));
      });
    const names = fc.string({ unit: 'grapheme' }).filter(name => name !== '__metadata__');
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(names, tensor), { selector: ([name]) => name, maxLength: 5 }),
        fc.dictionary(fc.string(), fc.string()),
        (list, metadata) => {
          const read = readSafetensors(encode(new Map(list), metadata));
          expect({ ...read.metadata }).toEqual({ ...metadata });
          expect(read.tensors.size).toBe(list.length);
          for (const [name, original] of list) {
            const copy = read.tensors.get(name)!;
            expect([copy.dtype, copy.dims]).toEqual([original.dtype, original.dims]);
            expect(Buffer.compare(copy.bytes(), original.bytes())).toBe(0);
          }
        },
      ),
    );
  });

  it('read what the reference implementation wrote', () => {
    // tests/weights/golden/make.py
    const { tensors, metadata } = openSafetensors(
      new URL('golden/reference.safetensors', import.meta.url).pathname,
    );
    expect({ ...metadata }).toEqual({ format: 'pt', note: 'größe' });
    const numbers = (name: string) => tensors.get(name)!.toNumbers();
    expect(numbers('float32')).toEqual([1.5, -2, 0.25, 3, 4, -0.5]);
    expect(tensors.get('float32')!.dims).toEqual([2, 3]);
    expect(numbers('float16')).toEqual([1.5, -65504]);
    expect(numbers('bfloat16')).toEqual([1.5, -(2 ** 128 - 2 ** 120)]);
    expect(numbers('float64')).toEqual([Math.PI]);
    expect(numbers('int64')).toEqual([-1, 2 ** 40]);
    expect(numbers('int32')).toEqual([-7]);
    expect(numbers('int16')).toEqual([-300]);
    expect(numbers('int8')).toEqual([-128, 127]);
    expect(numbers('uint8')).toEqual([255]);
    expect(numbers('bool')).toEqual([1, 0, 1]);
    expect(tensors.get('scalar')!.dims).toEqual([]);
    expect(tensors.get('empty')!.dims).toEqual([0, 3]);
    expect([...tensors.get('float8e4m3fn')!.bytes()]).toEqual([0x38, 0xc0]);
    expect([...tensors.get('float8e5m2')!.bytes()]).toEqual([0x3c, 0xc0]);
  });

  it('are written so that every tensor is aligned', () => {
    const { tensors } = openSafetensors(new URL('golden/reference.safetensors', import.meta.url).pathname);
    const bytes = encode(tensors);
    const length = Number(Buffer.from(bytes).readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString());
    expect(Object.keys(header)).toHaveLength(tensors.size);
    for (const [name, { data_offsets }] of Object.entries<{ data_offsets: [number, number] }>(header)) {
      expect(data_offsets[0] % byteLengthOf(tensors.get(name)!.dtype, 1), name).toBe(0);
    }
  });

  it('read only the tensor that is asked for', () => {
    const bytes = encode(
      new Map([
        ['a', Tensor.float32([2], [1, 2])],
        ['b', Tensor.float32([1], [3])],
      ]),
    );
    const reads: number[] = [];
    const { tensors } = readSafetensors({
      size: bytes.length,
      read(offset, length) {
        reads.push(length);
        return bytes.subarray(offset, offset + length);
      },
    });
    expect(reads).toHaveLength(2);
    expect(tensors.get('b')!.toNumbers()).toEqual([3]);
    expect(reads.slice(2)).toEqual([4]);
  });

  it.each<readonly [string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /it has 0 bytes/],
    ['a header beyond the file', file('{}', 0, 100n), /header of 100 bytes does not fit/],
    ['a header of exabytes', file('{}', 0, 2n ** 63n), /does not fit/],
    ['no JSON', file('{"a"', 0), /no JSON/],
    ['no UTF-8', Buffer.concat([file('', 0, 2n), Buffer.from([0xff, 0xff])]), /no JSON/],
    ['an array', file('[]', 0), /no JSON object/],
    ['an entry that is no object', file({ a: null }, 0), /needs dtype/],
    ['a missing shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /needs dtype/],
    ['a negative dimension', file({ a: entry(0, 4, [-1]) }, 4), /needs dtype/],
    ['a dimension that is no integer', file({ a: entry(0, 4, [1.5]) }, 4), /needs dtype/],
    ['a negative offset', file({ a: entry(-4, 0) }, 4), /needs dtype/],
    ['an unknown dtype', file({ a: entry(0, 4, [1], 'F128') }, 4), /dtype F128 is not known/],
    ['a wrong length', file({ a: entry(0, 4, [2]) }, 4), /takes 8 bytes, not 4/],
    ['a shape whose size overflows', file({ a: entry(0, 4, [2 ** 31, 2 ** 31, 4]) }, 4), /takes/],
    ['overlapping tensors', file({ a: entry(0, 8), b: entry(4, 12) }, 12), /begin at 4 instead of 8/],
    ['two names for the same bytes', file({ a: entry(0, 4), b: entry(0, 4) }, 4), /begin at 0 instead of 4/],
    ['hidden bytes', file({ a: entry(4, 8) }, 8), /begin at 4 instead of 0/],
    ['bytes at the end', file({ a: entry(0, 4) }, 8), /take 4 bytes, the file has 8/],
    ['tensors beyond the end', file({ a: entry(0, 4) }, 0), /take 4 bytes, the file has 0/],
    ['metadata that is no text', file({ __metadata__: { a: 1 } }, 0), /no text/],
  ])('refuse %s', (_what, bytes, message) => {
    expect(() => readSafetensors(bytes, 'x.safetensors')).toThrow(message);
    expect(() => readSafetensors(bytes, 'x.safetensors')).toThrow(/file x.safetensors/);
  });

  it('do not take names for more than names', () => {
    const read = readSafetensors(file('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4));
    expect([...read.tensors.keys()]).toEqual(['__proto__']);
    const meta = readSafetensors(file('{"__metadata__":{"__proto__":"x"}}', 0)).metadata;
    expect(Object.keys(meta)).toEqual(['__proto__']);
  });

  it('are written whole or not at all', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'whittle-safetensors-'));
    const path = join(folder, 'weights.safetensors');
    writeFileSync(path, 'old');
    const broken = new Tensor('float32', [1], {
      byteLength: 4,
      read: () => {
        throw new Error('gone');
      },
    });
    await expect(writeSafetensors(path, new Map([['a', broken]]))).rejects.toThrow('gone');
    expect(readdirSync(folder)).toEqual(['weights.safetensors']);
    expect(readFileSync(path, 'utf8')).toBe('old');
    await writeSafetensors(path, new Map([['a', Tensor.scalar(2)]]));
    expect(openSafetensors(path).tensors.get('a')!.toNumbers()).toEqual([2]);
  });

  it('refuse dtypes that the format has no name for', () => {
    expect(() => encode(new Map([['s', Tensor.strings([1], ['x'])]]))).toThrow(/cannot hold string.*"s"/);
    expect(() => encode(new Map([['__metadata__', Tensor.scalar(1)]]))).toThrow(/uses this name/);
  });
});
