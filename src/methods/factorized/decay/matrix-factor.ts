import type { Builder } from '../../../graph/ops/builder.js';
import type { Value } from '../../../graph/value.js';
import type { FactorizedLayer } from '../../../nn/index.js';

/**
 * A factor of a product as the gradients of its norms see it: its small Gram matrix over the side that meets the other
 * factors, and products of small matrices with it. Convolution kernels are never laid out anew for more than that.
 */
export interface MatrixFactor {
  /** The parameter's name. */
  readonly name: string;
  /** UᵀU or VᵀV (r × r). */
  readonly gram: Value;
  /** U·G or (V·G)ᵀ for a symmetric G (r × r), in the shape of the parameter. */
  times(g: Value): Value;
}

/** The outer factors of a product of two or three matrices, and the middle one (r × s) as it is. */
export interface MatrixProduct {
  readonly u: MatrixFactor;
  readonly m: { readonly name: string; readonly value: Value } | undefined;
  readonly v: MatrixFactor;
}

/** @param present the present value of a parameter */
export function matrixProduct(
  b: Builder,
  layer: FactorizedLayer,
  present: (name: string) => Value,
): MatrixProduct {
  const [left, middle] = layer.factors as [string, string];
  const right = layer.factors.at(-1)!;
  return {
    u: leftFactor(b, left, present(left)),
    m: layer.factors.length === 3 ? { name: middle, value: present(middle) } : undefined,
    v: rightFactor(b, right, present(right)),
  };
}

/** (rows, r), or a kernel (out, r, kh, …) whose rows are (out, kh). */
export function leftFactor(b: Builder, name: string, value: Value): MatrixFactor {
  const dims = value.fixedShape!;
  const [out, rank, ...kernel] = dims as [number, number, ...number[]];
  const positions = kernel.reduce((product, size) => product * size, 1);
  if (positions === 1) {
    const u = b.reshape(value, [out, rank]);
    return {
      name,
      gram: b.gemm(u, u, { transA: true }),
      times: g => b.reshape(b.gemm(u, g), dims),
    };
  }
  // (out, r, kh) → (kh · out, r): ONNX Runtime moves the last axis to the front and back at the speed of a copy,
  // while exchanging the first two would copy kh numbers at a time.
  const rows = b.transpose(b.reshape(value, [out, rank, positions]), [2, 0, 1]);
  const u = b.reshape(rows, [positions * out, rank]);
  return {
    name,
    gram: b.gemm(u, u, { transA: true }),
    times: g => b.reshape(b.transpose(b.reshape(b.gemm(u, g), [positions, out, rank]), [1, 2, 0]), dims),
  };
}

/** Vᵀ: (r, cols), or a kernel (r, in, …). */
export function rightFactor(b: Builder, name: string, value: Value): MatrixFactor {
  const dims = value.fixedShape!;
  const [rank, ...rest] = dims as [number, ...number[]];
  const vt = b.reshape(value, [rank, rest.reduce((product, size) => product * size, 1)]);
  return {
    name,
    gram: b.gemm(vt, vt, { transB: true }),
    times: g => b.reshape(b.gemm(g, vt), dims),
  };
}
