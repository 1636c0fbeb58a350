import { WhittleError } from '../graph/errors.js';

/** Element types that matrices may have. Results are always float64. */
export type MatrixData = Float32Array | Float64Array;

/**
 * A row-major matrix over a typed array, not copied: element (i, j) is `data[i * stride + j]`. A block of columns of
 * a larger matrix is a view of the same data (`data.subarray(first)`) with the larger matrix's stride.
 */
export interface Matrix<Data extends MatrixData = MatrixData> {
  readonly data: Data;
  readonly rows: number;
  readonly cols: number;
  /** Elements from one row to the next; at least `cols`. */
  readonly stride: number;
}

/** What results are made of: float64, rows without gaps. */
export type DenseMatrix = Matrix<Float64Array<ArrayBuffer>>;

/**
 * A view of `data` as a rows × cols matrix.
 * @throws WhittleError where a size is not a positive integer, or the data is too short for it
 */
export function matrix<Data extends MatrixData>(
  data: Data,
  rows: number,
  cols: number,
  stride = cols,
): Matrix<Data> {
  const view = { data, rows, cols, stride };
  assertMatrix(view);
  return view;
}

/** A matrix from nested arrays, one per row. @throws WhittleError where rows differ in length */
export function matrixFrom(rows: readonly (readonly number[])[]): DenseMatrix {
  const cols = rows[0]?.length ?? 0;
  const uneven = rows.findIndex(row => row.length !== cols);
  if (uneven >= 0) {
    throw new WhittleError(`row ${uneven} has ${rows[uneven]!.length} elements, row 0 has ${cols}`);
  }
  return dense(Float64Array.from(rows.flat()), rows.length, cols);
}

/** The elements as float64 without gaps; copies always. */
export function toDense(a: Matrix): DenseMatrix {
  assertMatrix(a);
  const data = new Float64Array(a.rows * a.cols);
  for (let i = 0; i < a.rows; i++) data.set(rowOf(a, i), i * a.cols);
  return dense(data, a.rows, a.cols);
}

/** The transpose, as a copy. */
export function transpose(a: Matrix): DenseMatrix {
  assertMatrix(a);
  const data = new Float64Array(a.rows * a.cols);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.cols; j++) data[j * a.rows + i] = a.data[i * a.stride + j]!;
  }
  return dense(data, a.cols, a.rows);
}

/** A result matrix over its own data. */
export function dense(data: Float64Array<ArrayBuffer>, rows: number, cols: number): DenseMatrix {
  return matrix(data, rows, cols) as DenseMatrix;
}

/** Row i, a view. */
export function rowOf<Data extends MatrixData>(a: Matrix<Data>, i: number): Data {
  return a.data.subarray(i * a.stride, i * a.stride + a.cols) as Data;
}

/** @throws WhittleError unless sizes, stride and data agree; `name` says which argument */
export function assertMatrix(a: Matrix, name = 'matrix'): void {
  if (!(a?.data instanceof Float32Array || a?.data instanceof Float64Array)) {
    throw new WhittleError(`${name}: data must be a Float32Array or a Float64Array`, {
      hint: 'Make it with matrix(data, rows, cols)',
    });
  }
  const { data, rows, cols, stride } = a;
  for (const [what, size] of Object.entries({ rows, cols, stride })) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new WhittleError(`${name}: ${what} is ${size}, but must be a positive integer`);
    }
  }
  if (stride < cols) throw new WhittleError(`${name}: stride ${stride} is less than its ${cols} columns`);
  const needed = (rows - 1) * stride + cols;
  if (data.length < needed) {
    throw new WhittleError(
      `${name}: ${rows} × ${cols} with stride ${stride} needs ${needed} elements, but the data has ${data.length}`,
    );
  }
}

/** @throws WhittleError unless the matrix is square */
export function assertSquare(a: Matrix, name = 'matrix'): void {
  assertMatrix(a, name);
  if (a.rows !== a.cols) throw new WhittleError(`${name}: must be square, but is ${a.rows} × ${a.cols}`);
}

/** @throws WhittleError unless 1 ≤ rank ≤ limit */
export function assertRank(rank: number, limit: number, name = 'rank'): void {
  if (!Number.isSafeInteger(rank) || rank < 1 || rank > limit) {
    throw new WhittleError(`${name} is ${rank}, but must be an integer from 1 to ${limit}`);
  }
}

/** The error for an element that is not a number, with its place. */
export function notFinite(a: Matrix, name = 'matrix'): WhittleError {
  for (let i = 0; i < a.rows; i++) {
    const j = rowOf(a, i).findIndex(value => !Number.isFinite(value));
    if (j >= 0) {
      return new WhittleError(`${name}: element (${i}, ${j}) is ${a.data[i * a.stride + j]}`, {
        hint: 'Only finite numbers can be decomposed',
      });
    }
  }
  return new WhittleError(`${name}: not finite`);
}
