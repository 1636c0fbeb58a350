import { BinaryReader } from '@bufbuild/protobuf/wire';
import { bitsOf, byteLengthOf, type DType } from '../graph/dtype.js';
import { DerivedBytes, type Payload, payloadChunks, RESIDENT_BYTES, readPayload } from './payload.js';
import type { Message } from './schema.js';

/**
 * The `*_data` fields of TensorProto: numbers as protobuf packs them, turned into the raw little-endian bytes
 * that everything else works with.
 */
type DataField = 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data';

/** Which field holds the elements of a dtype (the comments of `onnx.proto` at TensorProto). */
export function dataFieldOf(dtype: DType): DataField {
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return 'floatData';
    case 'float64':
    case 'complex128':
      return 'doubleData';
    case 'int64':
      return 'int64Data';
    case 'uint32':
    case 'uint64':
      return 'uint64Data';
    default:
      return 'int32Data';
  }
}

/**
 * The raw bytes of a tensor that is stored in its typed field.
 * @returns the bytes, or how many elements there are where they are not as many as the shape wants
 */
export function typedPayload(
  message: Message<'TensorProto'>,
  dtype: DType,
  size: number,
): Payload | { found: number; wanted: number } {
  const field = dataFieldOf(dtype);
  const payload = message[field] ?? new Uint8Array(0);
  const byteLength = byteLengthOf(dtype, size);
  if (field === 'floatData' || field === 'doubleData') {
    // Protobuf packs floats as raw_data does.
    const width = bitsOf(dtype) / 8;
    return payload.byteLength === byteLength ? payload : { found: payload.byteLength / width, wanted: size };
  }
  // One element a number, but whole bytes of 4-bit and 2-bit elements.
  const wanted = bitsOf(dtype) < 6 ? byteLength : size;
  const found = countVarints(payload);
  if (found !== wanted) return { found, wanted };
  const read = () => varintsToBytes(readPayload(payload), dtype, wanted, byteLength);
  return byteLength <= RESIDENT_BYTES ? read() : new DerivedBytes(byteLength, read);
}

/** Every varint ends in exactly one byte without the high bit. */
function countVarints(payload: Payload): number {
  let count = 0;
  for (const chunk of payloadChunks(payload)) for (const byte of chunk) if (byte < 0x80) count++;
  return count;
}

function varintsToBytes(packed: Uint8Array, dtype: DType, count: number, byteLength: number): Uint8Array {
  const reader = new BinaryReader(packed);
  const bytes = new Uint8Array(byteLength);
  const view = new DataView(bytes.buffer);
  const bits = bitsOf(dtype);
  for (let i = 0; i < count; i++) {
    if (bits === 64) {
      if (dtype === 'int64') view.setBigInt64(8 * i, BigInt(reader.int64()), true);
      else view.setBigUint64(8 * i, BigInt(reader.uint64()), true);
    } else if (bits === 32) view.setInt32(4 * i, reader.int32(), true);
    else if (bits === 16) view.setInt16(2 * i, reader.int32(), true);
    else if (bits === 6) putBits(bytes, 6 * i, reader.int32() & 0x3f);
    else view.setInt8(i, reader.int32());
  }
  return bytes;
}

/** Writes up to eight bits at a bit offset, lowest bits first. */
function putBits(bytes: Uint8Array, at: number, value: number): void {
  const shifted = value << (at % 8);
  const byte = Math.floor(at / 8);
  bytes[byte]! |= shifted & 0xff;
  if (shifted > 0xff) bytes[byte + 1]! |= shifted >> 8;
}
