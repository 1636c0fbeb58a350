import type { DType } from '../graph/dtype.js';
import { bitsOf } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { gunzip } from './gunzip.js';

/** Types of the idx format by their code. */
const DTYPES: Readonly<Record<number, DType>> = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

/** Largest file that is read; MNIST's are 47 MB. */
const LIMIT = 2 ** 31 - 1;

/**
 * Reads an idx file, packed by gzip or not: two zero bytes, type, rank, dimensions as big-endian 32-bit integers, then
 * the elements, big-endian.
 * @throws WhittleError for anything else, naming what is wrong
 * http://yann.lecun.com/exdb/mnist/ (at the end of the page)
 */
export function readIdx(packed: Uint8Array, file?: string): Tensor {
  const bytes = gunzip(packed, LIMIT, file);
  const place = file === undefined ? {} : { file };
  const dtype = DTYPES[bytes[2] ?? 0];
  if (bytes[0] !== 0 || bytes[1] !== 0 || !dtype) throw new WhittleError('this is no idx file', place);
  const rank = bytes[3]!;
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw new WhittleError('the idx file ends within its header', place);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dims = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const width = bitsOf(dtype) / 8;
  const expected = header + sizeOf(dims) * width;
  if (bytes.length !== expected) {
    throw new WhittleError(
      `idx data of ${dtype} [${dims.join(', ')}] takes ${expected} bytes; the file has ${bytes.length}`,
      { ...place, hint: 'Get the file again' },
    );
  }
  const elements = bytes.slice(header);
  if (width > 1)
    for (let at = 0; at < elements.length; at += width) elements.subarray(at, at + width).reverse();
  return new Tensor(dtype, dims, elements);
}
