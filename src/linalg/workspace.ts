import { WhittleError } from '../graph/errors.js';
import { instantiate, type Kernels, type Pointer } from './kernels.js';
import { assertMatrix, type Matrix, notFinite, rowOf } from './matrix.js';

/** Linear memory never shrinks: an instance that has grown beyond this is dropped after the call. */
const KEEP_BYTES = 256 * 2 ** 20;

/** A 32-bit WebAssembly memory ends here. */
const MEMORY_LIMIT = 2 ** 32 - 2 ** 16;

let instance: Kernels | undefined;

/**
 * Runs `body` on the kernels of this thread and gives back all memory that it took.
 * @param bytes forecast of what `body` takes
 * @param what names the task in errors
 * @throws WhittleError where the forecast exceeds what WebAssembly can address, or the engine has no memory left
 */
export function withKernels<Result>(bytes: number, what: string, body: (kernels: Kernels) => Result): Result {
  assertFits(bytes, what);
  instance ??= instantiate();
  const kernels = instance;
  const start = kernels.mark();
  if (!kernels.reserve(bytes)) throw tooLarge(bytes, what, 'but the engine gives no more');
  try {
    return body(kernels);
  } catch (error) {
    // A trap leaves the stack of the instance in an unknown state.
    if (error instanceof WebAssembly.RuntimeError) instance = undefined;
    throw error;
  } finally {
    kernels.release(start);
    if (kernels.memory.buffer.byteLength > KEEP_BYTES) instance = undefined;
  }
}

/** @throws WhittleError where a task cannot fit into WebAssembly's memory, with its size and the way out */
export function assertFits(bytes: number, what: string): void {
  if (bytes > MEMORY_LIMIT) throw tooLarge(bytes, what, 'but WebAssembly can address 4 GiB');
}

function tooLarge(bytes: number, what: string, limit: string): WhittleError {
  const size = (bytes / 2 ** 30).toFixed(2);
  return new WhittleError(`${what} needs ${size} GiB of memory, ${limit}`, {
    hint: 'Ask for few singular values with randomizedSvd, or split the matrix into blocks of rows or columns',
  });
}

/**
 * Copies a matrix into linear memory, rows without gaps, float32 widened.
 * @throws WhittleError where an element is NaN or infinite
 */
export function write(kernels: Kernels, a: Matrix, name = 'matrix'): Pointer {
  assertMatrix(a, name);
  const count = a.rows * a.cols;
  const p = kernels.take(count);
  const target = new Float64Array(kernels.memory.buffer, p, count);
  if (a.stride === a.cols) target.set(a.data.length === count ? a.data : a.data.subarray(0, count));
  else for (let i = 0; i < a.rows; i++) target.set(rowOf(a, i), i * a.cols);
  if (Number.isNaN(kernels.maxAbs(count, p))) throw notFinite(a, name);
  return p;
}

/** A copy of `count` elements. */
export function read(kernels: Kernels, p: Pointer, count: number): Float64Array<ArrayBuffer> {
  return new Float64Array(kernels.memory.buffer, p, count).slice();
}

/**
 * Multiplies `count` elements by a power of two so that the largest lies in [0.5, 1); sums of squares then neither
 * overflow nor vanish.
 * @returns exponent x: the elements were divided by 2^x
 */
export function normalize(kernels: Kernels, count: number, p: Pointer): number {
  const exponent = exponentOf(kernels.maxAbs(count, p));
  divide(kernels, count, p, exponent);
  return exponent;
}

/** x with 2^(x − 1) ≤ magnitude < 2^x; 0 for 0. */
export function exponentOf(magnitude: number): number {
  if (magnitude === 0) return 0;
  if (magnitude < 2 ** -1000) return Math.floor(Math.log2(magnitude * 2 ** 100)) - 99;
  return Math.floor(Math.log2(magnitude)) + 1;
}

/** Divides `count` elements by 2^exponent. */
export function divide(kernels: Kernels, count: number, p: Pointer, exponent: number): void {
  for (const factor of powers(-exponent)) kernels.scale(count, factor, p);
}

/** Multiplies by 2^exponent in place. */
export function scaleBack(values: Float64Array, exponent: number): void {
  for (const factor of powers(exponent)) {
    for (let i = 0; i < values.length; i++) values[i]! *= factor;
  }
}

/** 2^exponent as a product of factors that float64 can hold. */
function powers(exponent: number): number[] {
  if (exponent === 0) return [];
  if (Math.abs(exponent) <= 1000) return [2 ** exponent];
  const half = Math.trunc(exponent / 2);
  return [2 ** half, 2 ** (exponent - half)];
}
