import { addDims, divExact, mulDims } from '../dims.js';
import { sizeOf } from '../tensor.js';
import type { Dim } from '../value.js';
import { attentionGradients } from './attention-gradient.js';
import { defineOp, type InferContext, macs, type OpDefinition } from './definition.js';
import { perElement, sameAsFirst } from './elementwise.js';
import { withGradients } from './vjp.js';

/** Heads, length and width of a head of a tensor (batch, heads, length, width) or (batch, length, heads·width). */
function headsOf(context: InferContext, input: number, heads: Dim): { heads: Dim; length: Dim; width: Dim } {
  const shape = context.shape(input);
  if (shape?.length === 4) return { heads: shape[1]!, length: shape[2]!, width: shape[3]! };
  return {
    heads,
    length: shape?.[1] ?? null,
    width: divExact(shape?.[2] ?? null, heads),
  };
}

/** Scaled dot-product attention of opset 23: (Q, K, V, mask, past key, past value, …). */
const attention = defineOp({
  op: 'Attention',
  infer(context) {
    const q = context.shape(0);
    const query = headsOf(context, 0, context.node.int('q_num_heads') ?? null);
    const key = headsOf(context, 1, context.node.int('kv_num_heads') ?? null);
    const value = headsOf(context, 2, context.node.int('kv_num_heads') ?? null);
    const batch = q?.[0] ?? null;
    const past = context.has(4) ? (context.shape(4)?.[2] ?? null) : 0;
    const total = addDims(past, key.length);
    const dtype = context.dtype(0);
    if (q) {
      const packed = [batch, query.length, mulDims(query.heads, value.width)];
      context.set(0, dtype, q.length === 4 ? [batch, query.heads, query.length, value.width] : packed);
    } else context.set(0, dtype);
    context.set(1, context.dtype(1), [batch, key.heads, total, key.width]);
    context.set(2, context.dtype(2), [batch, value.heads, total, value.width]);
    context.set(3, dtype, [batch, query.heads, query.length, total]);
  },
  cost(context) {
    const key = context.shape(1);
    const length = (context.has(4) ? context.shape(4)[2]! : 0) + key[key.length - 2]!;
    // Q·Kᵀ and the product with V: each query element meets each key, each output element each value.
    return macs((sizeOf(context.shape(0)) + sizeOf(context.outputShape(0))) * length);
  },
});

export const attentionOps: readonly OpDefinition[] = withGradients(
  [attention, defineOp({ op: 'RotaryEmbedding', infer: sameAsFirst, cost: perElement(3) })],
  attentionGradients,
);
