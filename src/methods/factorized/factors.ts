import { WhittleError } from '../../graph/errors.js';
import { Tensor } from '../../graph/tensor.js';
import { type Matrix, matmul, matrix } from '../../linalg/index.js';
import type { FactorizedLayer } from '../../nn/index.js';
import { type Geometry, type MatrixForm, matrixShape, swapMiddle } from './matricize.js';

/** W = U Vᵀ, or U M Vᵀ: factors as matrices. */
export interface Factors {
  /** rows × r */
  readonly u: Matrix;
  /** r × s, between the two */
  readonly m?: Matrix;
  /** r × cols, or s × cols: Vᵀ */
  readonly vt: Matrix;
}

/** Shapes of the parameters that hold U and Vᵀ. */
function factorDims(
  geometry: Geometry,
  form: MatrixForm,
  rank: number,
): { u: readonly number[]; v: readonly number[] } {
  if (geometry.kind === 'linear') {
    return { u: [geometry.outFeatures, rank], v: [rank, geometry.inFeatures] };
  }
  const { outChannels, inChannels, kernelSize } = geometry;
  if (form === 'channel') {
    return { u: [outChannels, rank, ...kernelSize.map(() => 1)], v: [rank, inChannels, ...kernelSize] };
  }
  const [height, width] = kernelSize as [number, number];
  return { u: [outChannels, rank, height, 1], v: [rank, inChannels, 1, width] };
}

/** The tensors that hold two factors, laid out as the layers that multiply by them want them. */
export function factorTensors(
  geometry: Geometry,
  form: MatrixForm,
  { u, vt }: Factors,
): { u: Tensor; v: Tensor } {
  const dims = factorDims(geometry, form, u.cols);
  const height = form === 'spatial' ? dims.u[2]! : 1;
  // (out, kh, r) → (out, r, kh)
  const data = height === 1 ? u.data : swapMiddle(u.data, [dims.u[0]!, height, u.cols, 1]);
  return {
    u: Tensor.float32(dims.u, Float32Array.from(data)),
    v: Tensor.float32(dims.v, Float32Array.from(vt.data)),
  };
}

/** Whether a layer's weight is a product of two or three matrices. */
export const isMatrixProduct = ({ form }: FactorizedLayer): boolean => form !== 'tucker2' && form !== 'cp';

/**
 * The factors of a layer as matrices.
 * @param read the present tensor of a parameter
 * @throws WhittleError for a layer that is not a product of matrices
 */
export function readFactors(layer: FactorizedLayer, read: (name: string) => Tensor): Factors {
  const { dense, factors, composed, path } = layer;
  if (!isMatrixProduct(layer)) {
    throw new WhittleError(`the layer "${path}" is a product of more than matrices (${layer.form})`);
  }
  const form = layer.form as MatrixForm;
  const tensors = factors.map(read);
  const { rows, cols } = matrixShape(dense, form);
  const vt = tensors.at(-1)!;
  const inner = vt.dims[0]!;
  const right = matrix(vt.toFloat64(), inner, cols);
  const [left, middle] = tensors as [Tensor, Tensor];
  const rank = left.dims[1]!;
  const data = left.toFloat64();
  const height = !composed && form === 'spatial' ? left.dims[2]! : 1;
  const u = matrix(height === 1 ? data : swapMiddle(data, [left.dims[0]!, rank, height, 1]), rows, rank);
  if (tensors.length === 2) return { u, vt: right };
  return { u, m: matrix(middle.toFloat64(), rank, inner), vt: right };
}

/** The product. */
export const multiply = ({ u, m, vt }: Factors): Matrix => matmul(m ? matmul(u, m) : u, vt);
