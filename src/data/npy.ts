import { bitsOf, byteLengthOf, type DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { sizeOf, Tensor } from '../graph/tensor.js';

const FROM_NUMPY: Readonly<Record<string, DType>> = {
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
  c8: 'complex64',
  c16: 'complex128',
};
const TO_NUMPY = new Map(Object.entries(FROM_NUMPY).map(([code, dtype]) => [dtype, code]));

const MAGIC = '\x93NUMPY';
/** NumPy's own limit is 10,000; its longest headers come from record types, which no model takes. */
const MAX_HEADER = 65_536;

export interface NpyHeader {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly fortranOrder: boolean;
  readonly bigEndian: boolean;
  /** Where the data begins. */
  readonly offset: number;
}

/** How many bytes from the start hold the header at most, for those who read it alone. */
export const NPY_HEADER_BYTES: number = MAX_HEADER + 12;

const latin1 = new TextDecoder('latin1');

/**
 * Reads the header of a `.npy` file (format versions 1 to 3).
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @throws WhittleError naming the file where it is not one or holds what a tensor cannot
 */
export function readNpyHeader(bytes: Uint8Array, file = 'array.npy'): NpyHeader {
  const fail = (problem: string, hint?: string): never => {
    throw new WhittleError(problem, hint === undefined ? { file } : { file, hint });
  };
  if (latin1.decode(bytes.subarray(0, 6)) !== MAGIC || bytes.length < 12) fail('not a .npy file');
  const version = bytes[6]!;
  if (version < 1 || version > 3) fail(`.npy format version ${version} is not known`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = version === 1 ? 10 : 12;
  if (length > MAX_HEADER) fail(`its header claims ${length} bytes`);
  if (start + length > bytes.length) fail('the .npy file ends within its header');
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(
    bytes.subarray(start, start + length),
  );
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape':\s*\(([^()]*)\)/.exec(text)?.[1];
  if (descr === undefined && /'descr':\s*\[/.test(text)) {
    fail('it holds records, not one array of numbers', 'Save each field as an array of its own');
  }
  if (descr === undefined || order === undefined || shape === undefined) fail('its .npy header is damaged');
  const dims = shape!
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
    .map(part =>
      /^\d+L?$/.test(part) ? Number.parseInt(part, 10) : fail(`its shape (${shape}) is not valid`),
    );
  const [, byteOrder = '', kind = '', digits = ''] = /^([<>|=]?)([a-zA-Z])(\d*)$/.exec(descr!) ?? [];
  const dtype = FROM_NUMPY[kind + digits];
  if (dtype === undefined) {
    const hint =
      kind === 'O'
        ? 'Python objects are not read, since that would run code; save numbers with a fixed dtype'
        : 'Convert it with .astype() to a dtype that the model takes';
    return fail(`its dtype "${descr}" is not supported`, hint);
  }
  if (!Number.isSafeInteger(byteLengthOf(dtype, sizeOf(dims)))) fail(`its shape (${shape}) is too large`);
  return {
    dtype,
    dims,
    fortranOrder: order === 'True',
    bigEndian: byteOrder === '>',
    offset: start + length,
  };
}

/**
 * @param length of the whole file in bytes
 * @throws WhittleError where it is not what the header says
 */
export function checkNpyLength({ dtype, dims, offset }: NpyHeader, length: number, file: string): void {
  const needed = byteLengthOf(dtype, sizeOf(dims));
  if (length - offset === needed) return;
  throw new WhittleError(
    `shape [${dims.join(', ')}] needs ${needed} bytes of data, the file has ${length - offset}`,
    { file, hint: 'The file is cut off or damaged; save it again' },
  );
}

/**
 * Reads a `.npy` file. Big-endian and Fortran-ordered arrays come out little-endian and row-major.
 * @throws WhittleError naming the file where it is damaged, or its dtype is no tensor's (objects, records, dates)
 */
export function readNpy(bytes: Uint8Array, file = 'array.npy'): Tensor {
  const header = readNpyHeader(bytes, file);
  checkNpyLength(header, bytes.length, file);
  const { dtype, dims, fortranOrder, bigEndian, offset } = header;
  const itemSize = bitsOf(dtype) / 8;
  const data = bytes.slice(offset);
  // A complex number is two floats, each with its own byte order.
  if (bigEndian) swapBytes(data, dtype.startsWith('complex') ? itemSize / 2 : itemSize);
  return new Tensor(dtype, dims, fortranOrder && dims.length > 1 ? toRowMajor(data, dims, itemSize) : data);
}

function swapBytes(data: Uint8Array, word: number): void {
  if (word === 1) return;
  for (let i = 0; i < data.length; i += word) data.subarray(i, i + word).reverse();
}

/** Reorders elements whose first index runs fastest so that the last one does. */
function toRowMajor(data: Uint8Array, dims: readonly number[], itemSize: number): Uint8Array {
  const result = new Uint8Array(data.length);
  const strides = dims.map((_, axis) => sizeOf(dims.slice(0, axis)) * itemSize);
  const index = dims.map(() => 0);
  let source = 0;
  for (let target = 0; target < data.length; target += itemSize) {
    for (let b = 0; b < itemSize; b++) result[target + b] = data[source + b]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      source += strides[axis]!;
      if (index[axis]! < dims[axis]!) break;
      source -= dims[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/**
 * Writes a tensor as a `.npy` file (version 1, row-major, little-endian).
 * @throws WhittleError for dtypes that NumPy does not have (bfloat16, float8, int4, strings)
 */
export function writeNpy(tensor: Tensor): Uint8Array {
  const code = TO_NUMPY.get(tensor.dtype);
  if (code === undefined) {
    throw new WhittleError(`NumPy has no dtype for ${tensor.dtype}`, { hint: 'Convert to float32 first' });
  }
  const order = bitsOf(tensor.dtype) === 8 ? '|' : '<';
  const shape = tensor.dims.length === 1 ? `${tensor.dims[0]},` : tensor.dims.join(', ');
  const dict = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${shape}), }`;
  // The data starts at a multiple of 64 bytes, the header ends with a line feed.
  const offset = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const bytes = new Uint8Array(offset + tensor.byteLength);
  const header = `${MAGIC}\x01\x00__${dict.padEnd(offset - 11)}\n`;
  for (let i = 0; i < offset; i++) bytes[i] = header.charCodeAt(i);
  new DataView(bytes.buffer).setUint16(8, offset - 10, true);
  bytes.set(tensor.bytes(), offset);
  return bytes;
}
