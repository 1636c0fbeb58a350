import { WhittleError } from '../graph/errors.js';
import { matmulBytes } from './forecast.js';
import { assertMatrix, type DenseMatrix, dense, type Matrix } from './matrix.js';
import { read, withKernels, write } from './workspace.js';

export interface MatmulOptions {
  /** Multiplies aᵀ instead of a. Nothing is transposed in memory. */
  transposeA?: boolean;
  /** Multiplies by bᵀ instead of b. */
  transposeB?: boolean;
  /** Adds the product to this matrix (float64, in place) and returns it: streamed blocks are summed so. */
  addTo?: DenseMatrix;
}

/**
 * The product a · b in float64: (m × k) · (k × n) = m × n.
 * @throws WhittleError where the inner sizes differ, or for NaN and infinite elements
 */
export function matmul(a: Matrix, b: Matrix, options: MatmulOptions = {}): DenseMatrix {
  assertMatrix(a, 'a');
  assertMatrix(b, 'b');
  const { transposeA = false, transposeB = false, addTo } = options;
  const [m, k] = transposeA ? [a.cols, a.rows] : [a.rows, a.cols];
  const [inner, n] = transposeB ? [b.cols, b.rows] : [b.rows, b.cols];
  if (k !== inner) throw new WhittleError(`matmul: ${m} × ${k} cannot be multiplied by ${inner} × ${n}`);
  if (addTo) {
    assertMatrix(addTo, 'addTo');
    if (addTo.rows !== m || addTo.cols !== n || addTo.stride !== n || !(addTo.data instanceof Float64Array)) {
      throw new WhittleError(`matmul: addTo must be a dense float64 matrix of ${m} × ${n}`);
    }
  }
  return withKernels(matmulBytes(m, k, n), `product of ${m} × ${k} and ${k} × ${n}`, kernels => {
    const pa = write(kernels, a, 'a');
    const pb = write(kernels, b, 'b');
    const pc = addTo ? write(kernels, addTo, 'addTo') : kernels.take(m * n);
    const [rowA, colA] = transposeA ? [1, a.cols] : [a.cols, 1];
    const [rowB, colB] = transposeB ? [1, b.cols] : [b.cols, 1];
    kernels.gemm(m, n, k, 1, pa, rowA, colA, pb, rowB, colB, addTo !== undefined, pc, n);
    const data = read(kernels, pc, m * n);
    if (!addTo) return dense(data, m, n);
    addTo.data.set(data);
    return addTo;
  });
}
