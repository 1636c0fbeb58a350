import { WhittleError } from '../../graph/errors.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import { type Matrix, type MatrixData, matrix, transpose } from '../../linalg/index.js';
import type { ConvGeometry, LinearGeometry } from '../../nn/index.js';

export type Geometry = LinearGeometry | ConvGeometry;

/** How a layer's weight is read as a matrix; for linear layers there is one way. */
export type MatrixForm = 'linear' | 'spatial' | 'channel';

/** Rows and columns of the matrix. */
export interface MatrixShape {
  readonly rows: number;
  readonly cols: number;
}

/**
 * The form that fits a layer: `spatial` is for kernels of two dimensions, other convolutions are flattened by channel.
 * @throws WhittleError for grouped convolutions, whose kernel is not one matrix
 */
export function formFor(geometry: Geometry, convolution: 'spatial' | 'channel'): MatrixForm {
  if (geometry.kind === 'linear') return 'linear';
  if (geometry.groups !== 1) {
    throw new WhittleError(`a convolution of ${geometry.groups} groups is not one matrix`, {
      hint: 'Leave it out of the layers to factorize',
    });
  }
  return geometry.kernelSize.length === 2 ? convolution : 'channel';
}

export function matrixShape(geometry: Geometry, form: MatrixForm): MatrixShape {
  if (geometry.kind === 'linear') return { rows: geometry.outFeatures, cols: geometry.inFeatures };
  const { outChannels, inChannels, kernelSize } = geometry;
  if (form === 'channel') return { rows: outChannels, cols: inChannels * sizeOf(kernelSize) };
  const [height, width] = kernelSize as [number, number];
  return { rows: outChannels * height, cols: inChannels * width };
}

/** The weight as a float64 matrix. */
export function toMatrix(geometry: Geometry, form: MatrixForm, weight: Tensor): Matrix {
  const { rows, cols } = matrixShape(geometry, form);
  const data = weight.toFloat64();
  if (geometry.kind === 'linear') {
    return geometry.layout === 'out-in' ? matrix(data, rows, cols) : transpose(matrix(data, cols, rows));
  }
  if (form === 'channel') return matrix(data, rows, cols);
  // (out, in, kh, kw) → (out, kh | in, kw)
  return matrix(swapMiddle(data, spatialDims(geometry)), rows, cols);
}

/** The inverse of `toMatrix`, in float32. */
export function fromMatrix(geometry: Geometry, form: MatrixForm, a: Matrix): Tensor {
  if (geometry.kind === 'linear') {
    const stored = geometry.layout === 'out-in' ? a : transpose(a);
    return Tensor.float32([stored.rows, stored.cols], Float32Array.from(stored.data));
  }
  const { outChannels, inChannels, kernelSize } = geometry;
  const dims = [outChannels, inChannels, ...kernelSize];
  if (form === 'channel') return Tensor.float32(dims, Float32Array.from(a.data));
  const [out, channels, height, width] = spatialDims(geometry);
  return Tensor.float32(dims, Float32Array.from(swapMiddle(a.data, [out, height, channels, width])));
}

const spatialDims = ({ outChannels, inChannels, kernelSize }: ConvGeometry): Dims4 => [
  outChannels,
  inChannels,
  kernelSize[0]!,
  kernelSize[1]!,
];

type Dims4 = readonly [number, number, number, number];

/** (a, b, c, d) → (a, c, b, d); with d = 1 or b = 1 it transposes inner matrices. */
export function swapMiddle(data: MatrixData, [a, b, c, d]: Dims4): Float64Array<ArrayBuffer> {
  const swapped = new Float64Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      for (let k = 0; k < c; k++) {
        const from = ((i * b + j) * c + k) * d;
        swapped.set(data.subarray(from, from + d), ((i * c + k) * b + j) * d);
      }
    }
  }
  return swapped;
}
