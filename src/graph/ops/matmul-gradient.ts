import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp } from './vjp.js';

/** The last two axes exchanged. */
function swapped(b: Builder, x: Value, rank: number): Value {
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm[rank - 1] = rank - 2;
  perm[rank - 2] = rank - 1;
  return b.transpose(x, perm);
}

/** (…, m, k) as (…·m, k). */
function flattened(b: Builder, x: Value): Value {
  const fixed = x.fixedShape;
  if (fixed) return b.reshape(x, [fixed.slice(0, -1).reduce((a, d) => a * d, 1), fixed.at(-1)!]);
  return b.op('Flatten', [x], { axis: -1 });
}

/** Gradients of A·B for matrices or stacks of them: g·Bᵀ and Aᵀ·g. */
function matrixGradients(b: Builder, g: Value, x: Value, y: Value): [Value, Value] {
  const [m, n] = [x.shape!.length, y.shape!.length];
  if (n === 2) {
    // One matrix for the whole stack: one product, however many axes lead.
    const [rows, left] = [flattened(b, g), flattened(b, x)];
    return [b.reshapeLike(b.gemm(rows, y, { transB: true }), x), b.gemm(left, rows, { transA: true })];
  }
  // ONNX Runtime leaves garbage where a fused product sums over nothing.
  if (g.shape?.includes(0)) return [b.zerosLike(x), b.zerosLike(y)];
  const guarded = (product: Value, summed: number): Value =>
    typeof g.shape?.at(summed) === 'number'
      ? product
      : b.where(b.binary('Equal', b.op('Size', [g]), 0), 0, product);
  return [
    b.reduceLike(guarded(b.matmul(g, swapped(b, y, n)), -1), x),
    b.reduceLike(guarded(b.matmul(swapped(b, x, m), g), -2), y),
  ];
}

/** numpy's matmul; a vector counts as a row on the left and as a column on the right. */
const matMul: Vjp = ({ build: b, gradient, input, shape }) => {
  const [m, n] = [shape(0).length, shape(1).length];
  const x = m === 1 ? b.unsqueeze(input(0), [0]) : input(0);
  const y = n === 1 ? b.unsqueeze(input(1), [1]) : input(1);
  let g = gradient;
  if (n === 1) g = b.unsqueeze(g, [-1]);
  if (m === 1) g = b.unsqueeze(g, [-2]);
  const [dx, dy] = matrixGradients(b, g, x, y);
  return [b.reshapeLike(dx, input(0)), b.reshapeLike(dy, input(1))];
};

/** Y = α·A′·B′ + β·C, where ′ may transpose. */
const gemm: Vjp = ({ build: b, gradient: g, node, has, input }) => {
  const [a, w] = [input(0), input(1)];
  const [transA, transB] = [node.int('transA', 0) !== 0, node.int('transB', 0) !== 0];
  const alpha = node.float('alpha', 1);
  return [
    transA ? b.gemm(w, g, { transA: transB, transB: true, alpha }) : b.gemm(g, w, { transB: !transB, alpha }),
    transB ? b.gemm(g, a, { transA: true, transB: transA, alpha }) : b.gemm(a, g, { transA: !transA, alpha }),
    has(2) ? b.reduceLike(b.mul(g, node.float('beta', 1)), input(2)) : null,
  ];
};

export const matmulGradients: Gradients = {
  MatMul: matMul,
  Gemm: gemm,
  // d det X = det X · tr(X⁻¹ dX), but ONNX has no inverse.
};
