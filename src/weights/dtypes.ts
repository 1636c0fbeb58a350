import type { DType } from '../graph/dtype.js';

/** Names of the element types in a safetensors header. */
const NAMES: Readonly<Partial<Record<DType, string>>> = {
  bool: 'BOOL',
  uint8: 'U8',
  int8: 'I8',
  uint16: 'U16',
  int16: 'I16',
  float16: 'F16',
  bfloat16: 'BF16',
  uint32: 'U32',
  int32: 'I32',
  float32: 'F32',
  uint64: 'U64',
  int64: 'I64',
  float64: 'F64',
  complex64: 'C64',
  float8e4m3fn: 'F8_E4M3',
  float8e4m3fnuz: 'F8_E4M3FNUZ',
  float8e5m2: 'F8_E5M2',
  float8e5m2fnuz: 'F8_E5M2FNUZ',
  float8e8m0: 'F8_E8M0',
  float4e2m1: 'F4',
};

const DTYPES = new Map(Object.entries(NAMES).map(([dtype, name]) => [name, dtype as DType]));

/** Name of a dtype in safetensors; `undefined` where the format has none (strings, 4-bit integers). */
export const safetensorsName = (dtype: DType): string | undefined => NAMES[dtype];

export const dtypeOfSafetensors = (name: string): DType | undefined => DTYPES.get(name);
