import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Size } from './shape-builder.js';
import { positions } from './slice-gradient.js';
import { byExpansion, type Gradients, type Vjp, type VjpContext } from './vjp.js';

/** (batch, length, heads·width) as (batch, heads, length, width), which a tensor of rank 4 is already. */
export function splitHeads({ build: b, fail }: VjpContext, x: Value, heads: number | undefined): Value {
  if (x.shape?.length === 4) return x;
  if (x.shape?.length !== 3) return fail('an input has neither three nor four axes');
  const count = heads ?? fail('it does not say how many heads there are');
  const [batch, length, hidden] = b.sizesOf(x) as [Size, Size, Size];
  const width = typeof hidden === 'number' ? hidden / count : -1;
  return b.transpose(b.reshape(x, b.shapeFrom([batch, length, count, width])), [0, 2, 1, 3]);
}

/** (batch, heads, length, width) as (batch, length, heads·width). */
export function joinHeads(b: Builder, x: Value): Value {
  const [batch, heads, length, width] = b.sizesOf(x) as [Size, Size, Size, Size];
  const hidden = typeof heads === 'number' && typeof width === 'number' ? heads * width : -1;
  return b.reshape(b.transpose(x, [0, 2, 1, 3]), b.shapeFrom([batch, length, hidden]));
}

/** Heads of keys or values that groups of queries share, once for each query head. */
function repeatHeads({ build: b, fail }: VjpContext, x: Value, heads: number): Value {
  const [batch, own, length, width] = b.sizesOf(x) as [Size, Size, Size, Size];
  if (own === heads) return x;
  if (typeof own !== 'number') return fail('the number of its heads is not known');
  const each = b.op('Expand', [b.unsqueeze(x, [2]), b.ints([1, 1, heads / own, 1, 1])]);
  return b.reshape(each, b.shapeFrom([batch, heads, length, width]));
}

/** Who may look at whom: the query at place i + `before` at keys 0 to i + `before`. (queries, keys) */
function causal(b: Builder, q: Value, k: Value, before: Size | undefined): Value {
  const row = b.unsqueeze(positions(b, k, 2), [0]);
  const column = b.unsqueeze(positions(b, q, 2), [1]);
  const shifted = before === undefined ? column : b.add(column, sizeValue(b, before));
  return b.op('GreaterOrEqual', [shifted, row]);
}

const sizeValue = (b: Builder, size: Size): Value => (typeof size === 'number' ? b.ints([size]) : size);

export interface Attention {
  /** (batch, heads, length, width) */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** What products are multiplied with; default 1/√width. */
  readonly scale?: number | undefined;
  /** Added to them. */
  readonly bias?: Value | undefined;
  /** Boolean: keys that a query may see. All of them must hold. */
  readonly allowed: readonly Value[];
  /** Whether a query sees what stands before it and itself only, and how many keys stand before the first query. */
  readonly causal?: { readonly before?: Size | undefined } | undefined;
  /** Products are bounded by c·tanh(·/c). */
  readonly softcap?: number;
}

/** softmax(s·QKᵀ + bias)·V. Vaswani et al., 2017, https://arxiv.org/abs/1706.03762. */
export function attend(context: VjpContext, { q, k, v, scale, bias, allowed, ...more }: Attention): Value {
  const { build: b, fail } = context;
  const heads = q.shape?.[1];
  const width = q.shape?.[3];
  if (typeof heads !== 'number') return fail('the number of its heads is not known');
  const factor = scale ?? (typeof width === 'number' ? 1 / Math.sqrt(width) : fail('its width is not known'));
  const keys = b.transpose(repeatHeads(context, k, heads), [0, 1, 3, 2]);
  let scores = b.mul(b.matmul(q, keys), factor);
  if (bias) scores = b.add(scores, bias);
  if (more.softcap) scores = b.mul(b.op('Tanh', [b.div(scores, more.softcap)]), more.softcap);
  const masks = more.causal ? [...allowed, causal(b, q, k, more.causal.before)] : allowed;
  for (const mask of masks) scores = b.where(mask, scores, -1e30);
  const shares = b.op('Softmax', [scores], { axis: -1 });
  return b.matmul(shares, repeatHeads(context, v, heads));
}

/** Keys or values, after those of earlier calls. */
export const afterPast = ({ build: b, has, input }: VjpContext, past: number, x: Value): Value =>
  has(past) ? b.concat([input(past), x], 2) : x;

/** (Q, K, V, mask, past key, past value, lengths) → (Y, present key, present value, products). */
const attention = byExpansion(context => {
  const { build: b, node, has, input, shape, fail } = context;
  if (has(6)) fail('an external cache (nonpad_kv_seqlen) is not supported');
  const kvHeads = node.int('kv_num_heads');
  const q = splitHeads(context, input(0), node.int('q_num_heads'));
  const k = afterPast(context, 4, splitHeads(context, input(1), kvHeads));
  const v = afterPast(context, 5, splitHeads(context, input(2), kvHeads));
  const softcap = node.float('softcap', 0);
  const isCausal = node.int('is_causal', 0) !== 0;
  if (softcap !== 0 && (has(3) || isCausal)) fail('a softcap together with a mask is not supported');
  const mask = has(3) ? input(3) : undefined;
  const y = attend(context, {
    ...{ q, k, v, softcap },
    scale: node.float('scale'),
    bias: mask && mask.dtype !== 'bool' ? mask : undefined,
    allowed: mask?.dtype === 'bool' ? [mask] : [],
    causal: isCausal ? { before: has(4) ? b.sizesOf(input(4))[2]! : undefined } : undefined,
  });
  return [shape(0).length === 4 ? y : joinHeads(b, y), k, v];
});

/**
 * Pairs of numbers turned by angles that depend on their place alone: the gradient is turned back, by the same
 * operator with the sines negated. Su et al., 2021, https://arxiv.org/abs/2104.09864.
 */
export const rotaryEmbedding =
  (cos: number, sin: number): Vjp =>
  ({ build: b, gradient, node, inputs, input, needs, fail }) => {
    if (needs(cos) || needs(sin)) fail('its tables of cosines and sines are not trained');
    const back = inputs.map((value, i) => (i === 0 ? gradient : i === sin ? b.neg(input(sin)) : value));
    return [b.op(node.opType, back, Object.fromEntries(node.attributes), node.domain)];
  };

export const attentionGradients: Gradients = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding(1, 2),
};
