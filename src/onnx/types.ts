import { dtypeCode, dtypeFromCode } from '../graph/dtype.js';
import { type Dim, type Shape, tensorType, type ValueType } from '../graph/value.js';
import { typeMessages } from './leftovers.js';
import type { Message } from './schema.js';

/** The type of a value as a file declares it. What `ValueType` has no word for is kept beside it. */
export function decodeType(message: Message<'TypeProto'>): ValueType {
  const type = readType(message);
  typeMessages.set(type, message);
  return type;
}

/** Whether a type message says anything; some exporters write empty ones. */
export const saysType = ({ unknown: _, denotation: __, ...type }: Message<'TypeProto'>): boolean =>
  Object.keys(type).length > 0;

/** The message of a type: the one that it was read from, or a new one. */
export function encodeType(type: ValueType): Message<'TypeProto'> {
  return typeMessages.get(type) ?? buildType(type);
}

function readType(message: Message<'TypeProto'>): ValueType {
  const { tensorType: dense, sparseTensorType: sparse, sequenceType, optionalType, mapType } = message;
  if (dense) return readTensor(dense);
  if (sparse) return { ...readTensor(sparse), kind: 'sparse' };
  const element = sequenceType?.elemType ?? optionalType?.elemType;
  if (element) return { kind: sequenceType ? 'sequence' : 'optional', element: decodeType(element) };
  const key = dtypeFromCode(mapType?.keyType ?? 0);
  if (mapType?.valueType && key) return { kind: 'map', key, element: decodeType(mapType.valueType) };
  return { kind: 'opaque' };
}

function readTensor(message: Message<'TensorTypeProto'>): ValueType & { kind: 'tensor' | 'sparse' } {
  const dtype = dtypeFromCode(message.elemType ?? 0);
  const type = tensorType(dtype, message.shape && (message.shape.dim ?? []).map(readDim));
  return type as ValueType & { kind: 'tensor' };
}

/** Exporters write -1 for a dimension that they do not know. */
function readDim({ dimValue, dimParam }: Message<'Dimension'>): Dim {
  if (dimParam) return dimParam;
  const size = Number(dimValue ?? -1);
  return Number.isSafeInteger(size) && size >= 0 ? size : null;
}

function buildType(type: ValueType): Message<'TypeProto'> {
  switch (type.kind) {
    case 'tensor':
    case 'sparse': {
      const tensor: Message<'TensorTypeProto'> = { elemType: type.dtype ? dtypeCode(type.dtype) : 0 };
      if (type.shape) tensor.shape = buildShape(type.shape);
      return type.kind === 'tensor' ? { tensorType: tensor } : { sparseTensorType: tensor };
    }
    case 'sequence':
      return { sequenceType: { elemType: encodeType(type.element) } };
    case 'optional':
      return { optionalType: { elemType: encodeType(type.element) } };
    case 'map':
      return { mapType: { keyType: dtypeCode(type.key), valueType: encodeType(type.element) } };
    case 'opaque':
      return {};
  }
}

function buildShape(shape: Shape): Message<'TensorShapeProto'> {
  if (shape.length === 0) return {};
  return {
    dim: shape.map(dim => {
      if (typeof dim === 'number') return { dimValue: dim };
      return dim === null ? {} : { dimParam: dim };
    }),
  };
}
