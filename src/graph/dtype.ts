/**
 * Element types of ONNX tensors, named as ONNX Runtime's JavaScript API names them.
 * `code` is the number in `TensorProto.DataType`; sub-byte types are packed, low bits first.
 */
const TABLE = {
  float32: { code: 1, bits: 32 },
  uint8: { code: 2, bits: 8 },
  int8: { code: 3, bits: 8 },
  uint16: { code: 4, bits: 16 },
  int16: { code: 5, bits: 16 },
  int32: { code: 6, bits: 32 },
  int64: { code: 7, bits: 64 },
  string: { code: 8, bits: 0 },
  bool: { code: 9, bits: 8 },
  float16: { code: 10, bits: 16 },
  float64: { code: 11, bits: 64 },
  uint32: { code: 12, bits: 32 },
  uint64: { code: 13, bits: 64 },
  complex64: { code: 14, bits: 64 },
  complex128: { code: 15, bits: 128 },
  bfloat16: { code: 16, bits: 16 },
  float8e4m3fn: { code: 17, bits: 8 },
  float8e4m3fnuz: { code: 18, bits: 8 },
  float8e5m2: { code: 19, bits: 8 },
  float8e5m2fnuz: { code: 20, bits: 8 },
  uint4: { code: 21, bits: 4 },
  int4: { code: 22, bits: 4 },
  float4e2m1: { code: 23, bits: 4 },
  float8e8m0: { code: 24, bits: 8 },
  uint2: { code: 25, bits: 2 },
  int2: { code: 26, bits: 2 },
  float6e2m3: { code: 27, bits: 6 },
  float6e3m2: { code: 28, bits: 6 },
} as const;

export type DType = keyof typeof TABLE;

export const DTYPES = Object.keys(TABLE) as DType[];

const BY_CODE = new Map<number, DType>(DTYPES.map(dtype => [TABLE[dtype].code, dtype]));

/** The `TensorProto.DataType` number of a dtype. */
export const dtypeCode = (dtype: DType): number => TABLE[dtype].code;

/** The dtype of a `TensorProto.DataType` number; `undefined` for 0 (undefined) and for codes unknown to us. */
export const dtypeFromCode = (code: number): DType | undefined => BY_CODE.get(code);

/** Bits of one element; 0 for `string`. */
export const bitsOf = (dtype: DType): number => TABLE[dtype].bits;

/** Bytes that `size` elements take, the last byte padded for sub-byte types. `string` has no fixed size: 0. */
export const byteLengthOf = (dtype: DType, size: number): number => Math.ceil((size * bitsOf(dtype)) / 8);

const FLOATS = new Set<DType>(DTYPES.filter(d => d.startsWith('float') || d === 'bfloat16'));

/** Whether the dtype holds integers; `bool` does not count. */
export const isInteger = (dtype: DType): boolean => /^u?int\d+$/.test(dtype);

/** Whether the dtype holds real floating-point numbers (complex types do not count). */
export const isFloat = (dtype: DType | undefined): boolean => dtype !== undefined && FLOATS.has(dtype);
