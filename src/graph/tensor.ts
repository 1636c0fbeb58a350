import { f16round, getFloat16, setFloat16 } from '@petamoriken/float16';
import { bitsOf, byteLengthOf, type DType, dtypeCode } from './dtype.js';
import { WhittleError } from './errors.js';

/** Where a tensor's bytes are: in memory, or in a file that is read when they are asked for. */
export interface TensorStorage {
  readonly byteLength: number;
  /** Reads all bytes, little-endian. The caller must not write to them; each call may read the file again. */
  read(): Uint8Array;
}

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

const ARRAYS: Partial<
  Record<DType, new (buffer: ArrayBuffer, offset: number, length: number) => TypedArray>
> = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};

/** Number of elements of a fixed shape; 1 for a scalar. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

/**
 * A constant tensor: row-major, little-endian, possibly still on disk. Immutable by convention; its bytes are
 * read anew at each call of `bytes()` unless they are in memory, so keep what you need and let go of the rest.
 */
export class Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  private readonly storage: TensorStorage | Uint8Array | readonly Uint8Array[];

  /**
   * @param storage raw bytes, a lazy source of them, or (dtype `string`) one UTF-8 byte array per element
   * @throws WhittleError where the length does not fit dtype and dims
   */
  constructor(
    dtype: DType,
    dims: readonly number[],
    storage: TensorStorage | Uint8Array | readonly Uint8Array[],
  ) {
    this.dtype = dtype;
    this.dims = dims;
    this.storage = storage;
    const expected = dtype === 'string' ? this.size : byteLengthOf(dtype, this.size);
    const actual = Array.isArray(storage) ? storage.length : (storage as TensorStorage).byteLength;
    if (actual !== expected || (dtype === 'string') !== Array.isArray(storage)) {
      throw new WhittleError(
        `a ${dtype} tensor of shape [${dims.join(', ')}] needs ${expected} ${dtype === 'string' ? 'strings' : 'bytes'}, but has ${actual}`,
      );
    }
  }

  /** A float32 tensor; the array is used without copying. */
  static float32(dims: readonly number[], data: Float32Array | readonly number[]): Tensor {
    return Tensor.from('float32', dims, data instanceof Float32Array ? data : Float32Array.from(data));
  }

  /** An int64 tensor from plain numbers, as ONNX wants for shapes and axes; 1-D unless `dims` is given. */
  static int64(values: readonly (number | bigint)[], dims: readonly number[] = [values.length]): Tensor {
    return Tensor.from('int64', dims, BigInt64Array.from(values, BigInt));
  }

  /** A tensor over the memory of a typed array (not copied). */
  static from(dtype: DType, dims: readonly number[], data: TypedArray): Tensor {
    return new Tensor(
      dtype,
      dims,
      new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
    );
  }

  /**
   * A tensor of a real dtype from numbers, rounded to it (float16, bfloat16 and float64 included; integers are
   * expected to be in range).
   */
  static fromNumbers(dtype: DType, dims: readonly number[], values: ArrayLike<number>): Tensor {
    if (dtype === 'float16' || dtype === 'bfloat16') {
      const bits = new Uint16Array(values.length);
      const view = new DataView(bits.buffer);
      for (let i = 0; i < values.length; i++) {
        if (dtype === 'float16') setFloat16(view, 2 * i, values[i]!, true);
        else bits[i] = toBfloat16(values[i]!);
      }
      return Tensor.from(dtype, dims, bits);
    }
    if (dtype === 'int64' || dtype === 'uint64') {
      const big = Array.from(values, v => BigInt(v));
      return Tensor.from(dtype, dims, dtype === 'int64' ? BigInt64Array.from(big) : BigUint64Array.from(big));
    }
    const ArrayType = ARRAYS[dtype];
    if (!ArrayType)
      throw new WhittleError(`cannot make a ${dtype} tensor from numbers`, {
        hint: 'Give its bytes: new Tensor(dtype, dims, bytes)',
      });
    const data = new ArrayType(new ArrayBuffer(values.length * (bitsOf(dtype) / 8)), 0, values.length);
    (data as Float64Array).set(values);
    return Tensor.from(dtype, dims, data);
  }

  static strings(dims: readonly number[], values: readonly string[]): Tensor {
    const encoder = new TextEncoder();
    return new Tensor(
      'string',
      dims,
      values.map(value => encoder.encode(value)),
    );
  }

  /** A scalar float32. */
  static scalar(value: number): Tensor {
    return Tensor.float32([], [value]);
  }

  get size(): number {
    return sizeOf(this.dims);
  }

  /** Bytes of the stored elements; for strings the sum of their lengths. */
  get byteLength(): number {
    return Array.isArray(this.storage)
      ? this.storage.reduce((sum: number, s: Uint8Array) => sum + s.byteLength, 0)
      : (this.storage as TensorStorage).byteLength;
  }

  /** Whether the bytes are in memory already. */
  get resident(): boolean {
    return this.storage instanceof Uint8Array || Array.isArray(this.storage);
  }

  /** The raw little-endian bytes. Do not write to them. @throws WhittleError for strings, and where the file fails. */
  bytes(): Uint8Array {
    if (Array.isArray(this.storage)) throw new WhittleError('a string tensor has no raw bytes');
    return this.storage instanceof Uint8Array ? this.storage : (this.storage as TensorStorage).read();
  }

  /** UTF-8 bytes of each element of a string tensor. */
  stringBytes(): readonly Uint8Array[] {
    if (!Array.isArray(this.storage)) throw new WhittleError(`a ${this.dtype} tensor holds no strings`);
    return this.storage;
  }

  /** The elements as the typed array of the dtype; float16 and bfloat16 as their bits. Sub-byte types throw. */
  data(): TypedArray {
    const ArrayType = ARRAYS[this.dtype];
    if (!ArrayType) throw new WhittleError(`a ${this.dtype} tensor has no typed array; use bytes()`);
    const bytes = this.bytes();
    const width = bitsOf(this.dtype) / 8;
    const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
    return new ArrayType(aligned.buffer as ArrayBuffer, aligned.byteOffset, this.size);
  }

  /** The elements as float32: float32 without copying where possible, every other real dtype converted. */
  toFloat32(): Float32Array {
    if (this.dtype === 'float32') return this.data() as Float32Array;
    return Float32Array.from(this.values());
  }

  /** The elements as float64, converted. */
  toFloat64(): Float64Array {
    if (this.dtype === 'float64') return this.data() as Float64Array;
    return Float64Array.from(this.values());
  }

  /** The elements as plain numbers, e.g. a shape. @throws WhittleError where an int64 is not a safe integer */
  toNumbers(): number[] {
    return Array.from(this.values());
  }

  private values(): ArrayLike<number> {
    switch (this.dtype) {
      case 'float16': {
        const bytes = this.bytes();
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        return Float32Array.from({ length: this.size }, (_, i) => getFloat16(view, 2 * i, true));
      }
      case 'bfloat16': {
        const bits = Uint32Array.from(this.data() as Uint16Array, b => b << 16);
        return new Float32Array(bits.buffer);
      }
      case 'int64':
      case 'uint64':
        return Array.from(this.data() as BigInt64Array, big => {
          const value = Number(big);
          if (!Number.isSafeInteger(value))
            throw new WhittleError(`integer ${big} is out of JavaScript's range`, {
              hint: 'Read it as bigint with data()',
            });
          return value;
        });
      case 'int4':
      case 'uint4':
      case 'int2':
      case 'uint2':
        return unpackBits(this.bytes(), bitsOf(this.dtype), this.dtype.startsWith('int'), this.size);
      default:
        if (ARRAYS[this.dtype]) return this.data() as Float64Array;
        throw new WhittleError(
          `numbers of dtype ${this.dtype} (code ${dtypeCode(this.dtype)}) cannot be read`,
        );
    }
  }
}

/** Rounds a number to bfloat16 (nearest, ties to even) and returns its 16 bits. */
function toBfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  if (Number.isNaN(value)) return 0x7fc0;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Unpacks sub-byte integers, lowest bits first. */
function unpackBits(bytes: Uint8Array, bits: number, signed: boolean, size: number): Int8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  return Int8Array.from({ length: size }, (_, i) => {
    const raw = (bytes[Math.floor(i / perByte)]! >> (bits * (i % perByte))) & mask;
    return signed && raw > mask >> 1 ? raw - mask - 1 : raw;
  });
}

/** Rounds a number to the nearest float16, as `Math.fround` does to float32. */
export const toFloat16 = f16round;
