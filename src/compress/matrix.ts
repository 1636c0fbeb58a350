import type { WeightLayout } from '../calibrate/sites.js';
import { sizeOf, type Tensor } from '../graph/tensor.js';

/** A weight as a row-major matrix, each row one output (see `WeightLayout`). */
export interface WeightMatrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly cols: number;
}

/** The axes of `dims` in the order of the layout. */
export const permutedDims = (dims: readonly number[], layout: WeightLayout): number[] =>
  layout.perm.map(axis => dims[axis]!);

/** The permutation that undoes `perm`. */
export function inversePermutation(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length);
  for (const [i, axis] of perm.entries()) inverse[axis] = i;
  return inverse;
}

export const isIdentity = (perm: readonly number[]): boolean => perm.every((axis, i) => axis === i);

/** Reads a weight as its matrix, (rows, cols) as the layout says. */
export function toMatrix(tensor: Tensor, layout: WeightLayout): WeightMatrix {
  const dims = permutedDims(tensor.dims, layout);
  return {
    data: permute(tensor.toFloat32(), tensor.dims, layout.perm),
    rows: sizeOf(dims.slice(0, layout.split)),
    cols: sizeOf(dims.slice(layout.split)),
  };
}

/** The opposite of `toMatrix`: values in matrix order back in the order of a tensor of shape `dims`. */
export function fromMatrix(data: Float32Array, dims: readonly number[], layout: WeightLayout): Float32Array {
  return permute(data, permutedDims(dims, layout), inversePermutation(layout.perm));
}

/** Transposes a tensor of shape `dims` to the axis order `perm`. Returns the same array where nothing moves. */
export function permute(data: Float32Array, dims: readonly number[], perm: readonly number[]): Float32Array {
  if (isIdentity(perm)) return data;
  const strides = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));
  const outDims = perm.map(axis => dims[axis]!);
  const outStrides = perm.map(axis => strides[axis]!);
  const result = new Float32Array(data.length);
  const last = outDims.length - 1;
  const index = new Array<number>(outDims.length).fill(0);
  let offset = 0;
  for (let i = 0; i < result.length; ) {
    // One run over the last axis, then step the others like an odometer.
    for (let j = 0; j < outDims[last]!; j++) result[i++] = data[offset + j * outStrides[last]!]!;
    for (let axis = last - 1; axis >= 0; axis--) {
      offset += outStrides[axis]!;
      if (++index[axis]! < outDims[axis]!) break;
      offset -= outStrides[axis]! * outDims[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}
