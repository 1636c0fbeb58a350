import type { Tensor } from './tensor.js';

/** A sparse constant: `values` (nnz) at int64 `indices` (nnz), linear, or (nnz, rank), as ONNX stores it. */
export class SparseTensor {
  readonly dims: readonly number[];
  readonly values: Tensor;
  readonly indices: Tensor;

  constructor(dims: readonly number[], values: Tensor, indices: Tensor) {
    this.dims = dims;
    this.values = values;
    this.indices = indices;
  }
}
