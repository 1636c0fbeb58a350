import { dtypeCode } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { SparseTensor } from '../graph/sparse.js';
import type { Tensor } from '../graph/tensor.js';
import { sparseLeftovers, tensorLeftovers } from './leftovers.js';
import { DerivedBytes, type Payload } from './payload.js';
import type { Message } from './schema.js';

const EXTERNAL = 1;

/** Where a tensor's bytes stand in an external data file. */
export interface ExternalPlace {
  /** File name relative to the model's folder. */
  readonly location: string;
  readonly offset: number;
}

/** Says which tensors go to external data, and where; the others stay in the model. */
export type ExternalPlaces = ReadonlyMap<Tensor, ExternalPlace>;

/** The message of a tensor; `name` is the initializer's, or absent where a tensor has its own or none. */
export function encodeTensor(tensor: Tensor, places: ExternalPlaces, name?: string): Message<'TensorProto'> {
  const message: Message<'TensorProto'> = {
    ...tensorLeftovers.get(tensor),
    dims: [...tensor.dims],
    dataType: dtypeCode(tensor.dtype),
  };
  if (name !== undefined) message.name = name;
  const place = places.get(tensor);
  if (tensor.dtype === 'string') {
    message.stringData = [...tensor.stringBytes()];
  } else if (place) {
    message.dataLocation = EXTERNAL;
    message.externalData = [
      { key: 'location', value: place.location },
      { key: 'offset', value: String(place.offset) },
      { key: 'length', value: String(tensor.byteLength) },
    ];
  } else {
    message.rawData = tensorPayload(tensor);
  }
  return message;
}

/** The raw bytes of a tensor, read only when they are written. */
function tensorPayload(tensor: Tensor): Payload {
  return tensor.resident ? tensor.bytes() : new DerivedBytes(tensor.byteLength, () => readTensor(tensor));
}

/** The bytes of a tensor, as many as it promised when the file was laid out. */
export function readTensor(tensor: Tensor): Uint8Array {
  const bytes = tensor.bytes();
  if (bytes.byteLength === tensor.byteLength) return bytes;
  throw new WhittleError(`a weight gave ${bytes.byteLength} bytes instead of ${tensor.byteLength}`);
}

export function encodeSparse(
  sparse: SparseTensor,
  places: ExternalPlaces,
  name?: string,
): Message<'SparseTensorProto'> {
  return {
    ...sparseLeftovers.get(sparse),
    values: encodeTensor(sparse.values, places, name),
    indices: encodeTensor(sparse.indices, places),
    dims: [...sparse.dims],
  };
}
