import { byteLengthOf, type DType, dtypeFromCode } from '../graph/dtype.js';
import { SparseTensor } from '../graph/sparse.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { type DecodeContext, failDecode } from './context.js';
import { externalPayload } from './external.js';
import { sparseLeftovers, tensorLeftovers } from './leftovers.js';
import type { Payload } from './payload.js';
import type { Message } from './schema.js';
import { dataFieldOf, typedPayload } from './typed-data.js';

const EXTERNAL = 1;

/**
 * A tensor of a file; its bytes stay there unless they are few.
 * @param name what to call it in errors
 * @throws WhittleError where dtype, shape and bytes do not fit together
 */
export function decodeTensor(context: DecodeContext, message: Message<'TensorProto'>, name: string): Tensor {
  const {
    name: ownName,
    dataType = 0,
    dims: _dims,
    rawData,
    floatData: _floats,
    doubleData: _doubles,
    int32Data: _int32s,
    int64Data: _int64s,
    uint64Data: _uint64s,
    stringData,
    externalData: _external,
    dataLocation,
    ...rest
  } = message;
  const dtype = dtypeFromCode(dataType);
  if (dtype === undefined) {
    failDecode(context, `a tensor has the unknown element type ${dataType}`, { value: name });
  }
  if (message.segment) {
    failDecode(context, 'a tensor is stored in segments, which nothing reads', { value: name });
  }
  const dims = decodeDims(context, message.dims ?? [], dtype, name);
  const tensor =
    dtype === 'string'
      ? stringTensor(context, dims, stringData ?? [], name)
      : new Tensor(dtype, dims, numericPayload(context, message, dtype, dims, name, rawData, dataLocation));
  const left = ownName === undefined ? rest : { ...rest, name: ownName };
  if (Object.keys(left).length > 0) tensorLeftovers.set(tensor, left);
  return tensor;
}

function numericPayload(
  context: DecodeContext,
  message: Message<'TensorProto'>,
  dtype: DType,
  dims: readonly number[],
  name: string,
  rawData: Payload | undefined,
  dataLocation: number | undefined,
): Payload {
  const size = sizeOf(dims);
  const byteLength = byteLengthOf(dtype, size);
  const shape = `a ${dtype} tensor of shape [${dims.join(', ')}]`;
  if (dataLocation === EXTERNAL) return externalPayload(context, message, byteLength, name);
  if (rawData !== undefined && (rawData.byteLength > 0 || message[dataFieldOf(dtype)] === undefined)) {
    if (rawData.byteLength !== byteLength) {
      failDecode(context, `${shape} needs ${byteLength} bytes, but has ${rawData.byteLength}`, {
        value: name,
      });
    }
    return rawData;
  }
  const payload = typedPayload(message, dtype, size);
  if ('found' in payload) {
    failDecode(context, `${shape} needs ${payload.wanted} numbers, but has ${payload.found}`, {
      value: name,
    });
  }
  return payload;
}

function stringTensor(
  context: DecodeContext,
  dims: readonly number[],
  strings: readonly Uint8Array[],
  name: string,
): Tensor {
  const size = sizeOf(dims);
  if (strings.length !== size) {
    failDecode(
      context,
      `a string tensor of shape [${dims.join(', ')}] needs ${size} strings, but has ${strings.length}`,
      { value: name },
    );
  }
  return new Tensor('string', dims, strings);
}

/** @throws WhittleError unless the dims are what memory could hold */
function decodeDims(
  context: DecodeContext,
  dims: readonly (number | bigint)[],
  dtype: DType,
  name: string,
): number[] {
  const { rank } = context.limits;
  if (dims.length > rank) {
    failDecode(context, `a tensor has ${dims.length} dimensions; ${rank} is the limit`, { value: name });
  }
  const numbers = dims.map(Number);
  const bad = numbers.find(dim => !Number.isSafeInteger(dim) || dim < 0);
  if (bad !== undefined) failDecode(context, `a tensor has a dimension of ${bad}`, { value: name });
  // Zeros must not hide an overflow of the others.
  const largest = sizeOf(numbers.filter(dim => dim > 0));
  if (!Number.isSafeInteger(largest) || !Number.isSafeInteger(largest * 16)) {
    failDecode(context, `a ${dtype} tensor of shape [${numbers.join(', ')}] is too large to exist`, {
      value: name,
    });
  }
  return numbers;
}

/** A sparse tensor of a file. @throws WhittleError where values, indices and shape do not fit together */
export function decodeSparse(
  context: DecodeContext,
  message: Message<'SparseTensorProto'>,
  name: string,
): SparseTensor {
  const { values: valuesMessage, indices: indicesMessage, dims: dimsMessage, ...rest } = message;
  if (!valuesMessage || !indicesMessage) {
    failDecode(context, 'a sparse tensor lacks its values or indices', { value: name });
  }
  const values = decodeTensor(context, valuesMessage, name);
  const indices = decodeTensor(context, indicesMessage, `${name} (indices)`);
  const dims = decodeDims(context, dimsMessage ?? [], values.dtype, name);
  const count = values.dims[0];
  const [rows, columns] = indices.dims;
  const fits =
    values.dims.length === 1 &&
    indices.dtype === 'int64' &&
    rows === count &&
    (indices.dims.length === 1 || (indices.dims.length === 2 && columns === dims.length));
  if (!fits) {
    failDecode(
      context,
      `a sparse tensor of shape [${dims.join(', ')}] has values [${values.dims.join(', ')}] at ` +
        `${indices.dtype} indices [${indices.dims.join(', ')}]`,
      { value: name },
    );
  }
  const sparse = new SparseTensor(dims, values, indices);
  if (Object.keys(rest).length > 0) sparseLeftovers.set(sparse, rest);
  return sparse;
}
