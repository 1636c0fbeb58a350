import { sizeOf } from '../tensor.js';
import type { Shape } from '../value.js';
import { broadcastShapes, formatShape } from './broadcast.js';
import {
  type CostContext,
  defineOp,
  type InferContext,
  macs,
  type OpCost,
  type OpDefinition,
} from './definition.js';
import { commonDType } from './elementwise.js';
import { matmulGradients } from './matmul-gradient.js';
import { withGradients } from './vjp.js';

/**
 * Shape of numpy's matmul: (…, m, k) × (…, k, n) → (…, m, n), the leading axes broadcast; a vector on either side
 * loses its axis.
 * @throws by `context.fail` where the inner dimensions differ
 */
export function matMulShape(
  context: InferContext,
  a: Shape | undefined,
  b: Shape | undefined,
): Shape | undefined {
  if (!a || !b) return undefined;
  if (a.length === 0 || b.length === 0) context.fail('a scalar has no matrix product');
  const rows = a.length === 1 ? [1, a[0]!] : a;
  const columns = b.length === 1 ? [b[0]!, 1] : b;
  const k = rows.at(-1)!;
  const inner = columns.at(-2)!;
  if (typeof k === 'number' && typeof inner === 'number' && k !== inner) {
    context.fail(`${formatShape(a)} × ${formatShape(b)}: inner dimensions ${k} and ${inner} differ`);
  }
  const batch = broadcastShapes(context, [rows.slice(0, -2), columns.slice(0, -2)])!;
  return [...batch, ...(a.length === 1 ? [] : [rows.at(-2)!]), ...(b.length === 1 ? [] : [columns.at(-1)!])];
}

/** Each output element sums over the inner dimension, the last of input `a`. */
export const matMulCost =
  (a: number) =>
  (context: CostContext): OpCost =>
    macs(sizeOf(context.outputShape(0)) * context.shape(a).at(-1)!);

const matMul = defineOp({
  op: 'MatMul',
  infer(context) {
    context.set(0, commonDType(context, [0, 1]), matMulShape(context, context.shape(0), context.shape(1)));
  },
  cost: matMulCost(0),
});

const gemm = defineOp({
  op: 'Gemm',
  infer(context) {
    const dtype = commonDType(context, [0, 1, 2]);
    const a = context.shape(0);
    const b = context.shape(1);
    for (const shape of [a, b]) {
      if (shape && shape.length !== 2) context.fail(`Gemm takes matrices, not ${formatShape(shape)}`);
    }
    const transA = context.node.int('transA', 0);
    const transB = context.node.int('transB', 0);
    const [k, inner] = [a?.[transA ? 0 : 1], b?.[transB ? 1 : 0]];
    if (typeof k === 'number' && typeof inner === 'number' && k !== inner) {
      context.fail(`inner dimensions ${k} and ${inner} differ`);
    }
    const shape = [a?.[transA ? 1 : 0] ?? null, b?.[transB ? 0 : 1] ?? null];
    if (context.has(2)) {
      // The bias broadcasts to the product, never the other way round.
      const bias = context.shape(2);
      const sum = broadcastShapes(context, [shape, bias]);
      const grown = sum?.some(
        (dim, i) => typeof shape[i] === 'number' && typeof dim === 'number' && dim !== shape[i],
      );
      if (sum && (sum.length > 2 || grown)) {
        context.fail(`a bias of shape ${formatShape(bias)} does not broadcast to ${formatShape(shape)}`);
      }
    }
    context.set(0, dtype, shape);
  },
  cost(context) {
    const a = context.shape(0);
    return macs(sizeOf(context.outputShape(0)) * a[context.node.int('transA', 0) ? 0 : 1]!);
  },
});

const det = defineOp({
  op: 'Det',
  infer(context) {
    context.set(0, context.dtype(0), context.shape(0)?.slice(0, -2));
  },
});

export const matmul: readonly OpDefinition[] = withGradients([matMul, gemm, det], matmulGradients);
