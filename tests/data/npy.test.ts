import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../src/data/index.js';
import { type DType, Tensor, WhittleError } from '../../src/graph/index.js';

const golden = (name: string) => new Uint8Array(readFileSync(new URL(`./golden/${name}`, import.meta.url)));
const numbers = Array.from({ length: 12 }, (_, i) => i - 6);

const DTYPES: Readonly<Record<string, DType>> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

describe('readNpy', () => {
  const files = readdirSync(new URL('./golden/', import.meta.url)).filter(n => /^(le|be|b)_.*\.npy$/.test(n));

  it('knows all dtypes and byte orders that NumPy wrote', () => {
    expect(files).toHaveLength(20);
    for (const file of files) {
      const code = file.replace(/^.*_|\.npy$/g, '');
      const tensor = readNpy(golden(file), file);
      expect(tensor.dtype).toBe(DTYPES[code]);
      expect(tensor.dims).toEqual([2, 3, 2]);
      const expected = numbers.map(v =>
        code === 'b1' ? Number(v !== 0) : code[0] === 'u' ? Math.abs(v) : v,
      );
      expect(tensor.toNumbers(), file).toEqual(expected);
    }
  });

  it('turns Fortran order into rows', () => {
    expect(readNpy(golden('fortran.npy')).toNumbers()).toEqual(numbers);
    expect(readNpy(golden('fortran_be.npy')).toNumbers()).toEqual(numbers);
  });

  it('reads scalars and empty arrays', () => {
    expect(readNpy(golden('scalar.npy'))).toMatchObject({ dims: [] });
    expect(readNpy(golden('scalar.npy')).toNumbers()).toEqual([2.5]);
    expect(readNpy(golden('empty.npy'))).toMatchObject({ dims: [3, 0, 2] });
  });

  it('refuses what no tensor holds, with the way out', () => {
    expect(() => readNpy(golden('objects.npy'), 'o.npy')).toThrow(/Python objects.*run code/);
    expect(() => readNpy(golden('records.npy'), 'r.npy')).toThrow(/records.*\(file r.npy\)/);
    expect(() => readNpy(golden('dates.npy'))).toThrow(/dtype "<M8\[D\]" is not supported|header is damaged/);
    expect(() => readNpy(golden('strings.npy'))).toThrow(/dtype "<U2" is not supported/);
  });

  it('refuses cut and lying files', () => {
    const whole = golden('le_f4.npy');
    expect(() => readNpy(whole.subarray(0, whole.length - 1), 'cut.npy')).toThrow(
      'shape [2, 3, 2] needs 48 bytes of data, the file has 47 (file cut.npy)',
    );
    const lie = (shape: string) => {
      const bytes = Uint8Array.from(whole);
      const text = new TextDecoder('latin1').decode(bytes).replace(/\(2, 3, 2\), \}\s*/, s => {
        return `(${shape}), }`.padEnd(s.length);
      });
      return Uint8Array.from(text, c => c.charCodeAt(0));
    };
    expect(() => readNpy(lie('9999999999999, 99999999'))).toThrow(/too large/);
    expect(() => readNpy(lie('2, -3, 2'))).toThrow(/shape .* is not valid/);
    expect(() => readNpy(Uint8Array.from([...whole.subarray(0, 8), 255, 255]))).toThrow(WhittleError);
  });

  it('fails only with its own errors, whatever the bytes', () => {
    const whole = golden('be_f8.npy');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(whole.length),
        (changes, length) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            readNpy(bytes.subarray(0, length));
          } catch (error) {
            expect(error).toBeInstanceOf(WhittleError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

const anyTensor = fc
  .tuple(
    fc.constantFrom<DType>('float16', 'float32', 'float64', 'int8', 'int64', 'uint16', 'bool'),
    fc.array(fc.nat(4), { maxLength: 4 }),
  )
  .map(([dtype, dims]) => {
    const size = dims.reduce((a, b) => a * b, 1);
    return Tensor.fromNumbers(
      dtype,
      dims,
      Array.from({ length: size }, (_, i) => i % 2),
    );
  });

const same = (a: Tensor, b: Tensor | undefined) => {
  expect(b).toMatchObject({ dtype: a.dtype, dims: a.dims });
  expect(b!.bytes()).toEqual(a.bytes());
};

describe('writeNpy', () => {
  it('writes what is read back', () => {
    fc.assert(fc.property(anyTensor, tensor => same(tensor, readNpy(writeNpy(tensor)))));
  });

  it('writes the bytes that NumPy writes', () => {
    const tensor = Tensor.fromNumbers('float32', [2, 3, 2], numbers);
    expect(writeNpy(tensor)).toEqual(golden('le_f4.npy'));
    expect(writeNpy(Tensor.fromNumbers('int8', [2, 3, 2], numbers))).toEqual(golden('b_i1.npy'));
  });

  it('refuses dtypes that NumPy lacks', () => {
    expect(() => writeNpy(Tensor.fromNumbers('bfloat16', [1], [1]))).toThrow(/no dtype for bfloat16/);
  });
});

describe('npz', () => {
  it.each(['plain.npz', 'compressed.npz'])('reads %s as NumPy wrote it', name => {
    const arrays = readNpz(golden(name), name);
    expect([...arrays.keys()]).toEqual(['x', 'mask']);
    expect(arrays.get('x')!.toNumbers()).toEqual(numbers);
    expect(arrays.get('mask')).toMatchObject({ dtype: 'int64', dims: [1, 3] });
  });

  it('writes what is read back', () => {
    fc.assert(
      fc.property(anyTensor, anyTensor, (a, b) => {
        const arrays = readNpz(writeNpz({ a, 'b.c': b }));
        same(a, arrays.get('a'));
        same(b, arrays.get('b.c'));
      }),
    );
  });

  it('refuses archives that claim to be huge', () => {
    const bytes = writeNpz({ x: Tensor.fromNumbers('float32', [4], [1, 2, 3, 4]) });
    const view = new DataView(bytes.buffer);
    const directory = view.getUint32(bytes.length - 6, true);
    view.setUint32(directory + 24, 0xfffffff0, true);
    expect(() => readNpz(bytes, 'bomb.npz')).toThrow(/"x.npy" claims 4294967280 bytes \(file bomb.npz\)/);
  });

  it('fails only with its own errors, whatever the bytes', () => {
    expect(() => readNpz(new Uint8Array(10), 'x.npz')).toThrow(/not a readable .npz archive.*x.npz/);
    const whole = golden('compressed.npz');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(whole.length),
        (changes, length) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            readNpz(bytes.subarray(0, length));
          } catch (error) {
            expect(error).toBeInstanceOf(WhittleError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
