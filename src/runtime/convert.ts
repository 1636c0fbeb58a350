import type { Tensor as OrtTensor } from 'onnxruntime-web';
import type { DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Tensor, type TypedArray } from '../graph/tensor.js';
import type { Ort } from './backend.js';

/** The dtypes that ONNX Runtime passes to and from JavaScript; in Node no four-bit integers. */
const PASSED: ReadonlySet<DType> = new Set<DType>([
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
]);

/** Whether a tensor of this dtype can be fed or fetched. */
export const passes = (dtype: DType): boolean => PASSED.has(dtype);

/**
 * A view of a tensor for ONNX Runtime: the same memory, except where it cannot take it (strings, unaligned or shared
 * memory), which is copied.
 * @throws WhittleError for dtypes that ONNX Runtime does not pass to or from JavaScript
 */
export function toOrt(ort: Ort, tensor: Tensor, name: string): OrtTensor {
  const { dtype, dims } = tensor;
  if (!PASSED.has(dtype)) {
    throw new WhittleError(`ONNX Runtime's JavaScript API takes no ${dtype} tensors`, {
      value: name,
      hint: 'Give the model a Cast from or to float32 there',
    });
  }
  if (dtype === 'string') {
    const decoder = new TextDecoder();
    return new ort.Tensor(
      'string',
      tensor.stringBytes().map(s => decoder.decode(s)),
      dims,
    );
  }
  return new ort.Tensor(dtype as 'float32', unshared(tensor.data()) as Float32Array, dims);
}

/** A tensor over the memory of ONNX Runtime's; strings are copied. It must be on the CPU. */
export function fromOrt(tensor: OrtTensor): Tensor {
  if (tensor.type === 'string') return Tensor.strings(tensor.dims, tensor.data as string[]);
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  return new Tensor(tensor.type, tensor.dims, new Uint8Array(buffer, byteOffset, byteLength));
}

/** Whether ONNX Runtime would read and write the tensor's own memory. */
export function sharesMemory(tensor: Tensor): boolean {
  if (tensor.dtype === 'string' || !tensor.resident) return false;
  const bytes = tensor.bytes();
  if (isShared(bytes)) return false;
  return tensor.data().buffer === bytes.buffer;
}

/** ONNX Runtime takes no views of shared memory: the array itself, or a copy where it is one. */
export function unshared<T extends TypedArray>(data: T): T {
  return isShared(data) ? (data.slice() as T) : data;
}

const isShared = (data: ArrayBufferView): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && data.buffer instanceof SharedArrayBuffer;
