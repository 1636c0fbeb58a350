import { WhittleError } from '../graph/errors.js';
import { type DenseMatrix, dense, type MatrixData } from './matrix.js';

/** A row-major array of any number of axes, as convolution kernels are: (out, in, height, width). */
export interface Multiway {
  readonly data: MatrixData;
  readonly dims: readonly number[];
}

/** @throws WhittleError unless the dims are positive integers whose product is the length of the data */
export function assertMultiway({ data, dims }: Multiway, axes?: number): void {
  if (axes !== undefined && dims.length !== axes) {
    throw new WhittleError(`a tensor with ${axes} axes is expected, but the shape is [${dims.join(', ')}]`);
  }
  if (dims.length === 0 || !dims.every(dim => Number.isSafeInteger(dim) && dim > 0)) {
    throw new WhittleError(`[${dims.join(', ')}] is no shape: every dimension must be a positive integer`);
  }
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (data.length !== size) {
    throw new WhittleError(
      `shape [${dims.join(', ')}] needs ${size} elements, but the data has ${data.length}`,
    );
  }
}

/**
 * The mode-`axis` unfolding: a matrix of dims[axis] rows, whose columns run over the other axes in their order, the
 * last one fastest. Copies.
 */
export function unfold({ data, dims }: Multiway, axis: number): DenseMatrix {
  const rows = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const outer = data.length / (rows * inner);
  const result = new Float64Array(data.length);
  for (let o = 0; o < outer; o++) {
    for (let r = 0; r < rows; r++) {
      const from = (o * rows + r) * inner;
      result.set(data.subarray(from, from + inner), (r * outer + o) * inner);
    }
  }
  return dense(result, rows, outer * inner);
}

/** The inverse of `unfold`. */
export function fold(a: DenseMatrix, dims: readonly number[], axis: number): Float64Array<ArrayBuffer> {
  const rows = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const outer = a.data.length / (rows * inner);
  const result = new Float64Array(a.data.length);
  for (let o = 0; o < outer; o++) {
    for (let r = 0; r < rows; r++) {
      const from = (r * outer + o) * inner;
      result.set(a.data.subarray(from, from + inner), (o * rows + r) * inner);
    }
  }
  return result;
}

/** Frobenius norm, scaled against overflow. */
export function normOf(data: MatrixData): number {
  let largest = 0;
  for (const value of data) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return largest;
  let sum = 0;
  for (const value of data) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
}
