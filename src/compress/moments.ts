import { cholesky, type DenseMatrix, type Matrix, matmul, matrix } from '../linalg/index.js';

/** W S Wᵀ */
export const momentOfOutputs = (w: Matrix, second: Float64Array<ArrayBuffer>): DenseMatrix =>
  matmul(matmul(w, matrix(second, w.cols, w.cols)), w, { transposeB: true });

/** Sum of the diagonal. */
export function trace({ data, rows, stride }: DenseMatrix): number {
  let sum = 0;
  for (let i = 0; i < rows; i++) sum += data[i * stride + i]!;
  return sum;
}

/** tr(D S Dᵀ). */
export function quadraticForm(
  d: Float64Array<ArrayBuffer>,
  rows: number,
  width: number,
  s: Float64Array,
): number {
  if (rows * width < 4096) return smallQuadraticForm(d, rows, width, s);
  const product = matmul(matrix(d, rows, width), matrix(s, width, width)).data;
  let sum = 0;
  for (let i = 0; i < product.length; i++) sum += product[i]! * d[i]!;
  return sum;
}

/** Without the way into WebAssembly, which costs more than a depthwise kernel's few numbers. */
function smallQuadraticForm(d: Float64Array, rows: number, width: number, s: Float64Array): number {
  let sum = 0;
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) {
      let product = 0;
      for (let j = 0; j < width; j++) product += s[i * width + j]! * d[r * width + j]!;
      sum += product * d[r * width + i]!;
    }
  }
  return sum;
}

/** S plus a share of its mean diagonal. */
function ridged(s: Float64Array, width: number, share: number) {
  const data = Float64Array.from(s);
  let trace = 0;
  for (let i = 0; i < width; i++) trace += s[i * width + i]!;
  const ridge = (share * trace) / width || 1;
  for (let i = 0; i < width; i++) data[i * width + i]! += ridge;
  return matrix(data, width, width);
}

/**
 * The Cholesky factor of S with a ridge on its diagonal. Sums come out of ONNX Runtime in float32, whose rounding can
 * exceed the smallest eigenvalues; then the ridge grows until it covers that.
 */
export function whiteningFactor(second: Float64Array, width: number, share: number): DenseMatrix {
  for (;;) {
    try {
      return cholesky(ridged(second, width, share)).l;
    } catch (error) {
      share *= 10;
      if (share > 1) throw error;
    }
  }
}
