import type { Value } from '../value.js';
import { afterPast, attend, joinHeads, rotaryEmbedding, splitHeads } from './attention-gradient.js';
import { positions } from './slice-gradient.js';
import { byExpansion, type Gradients, type VjpContext } from './vjp.js';

/** Cuts the last axis into pieces of these sizes. */
const cut = ({ build: b }: VjpContext, x: Value, sizes: readonly number[]): Value[] =>
  b.node('Split', [x, b.ints(sizes)], { axis: -1 }, sizes.length).outputs.map(o => o!);

/** A mask (batch) of lengths, (batch, keys) or (batch, queries, keys) as booleans that broadcast to the products. */
function allowedKeys({ build: b, input, shape }: VjpContext, index: number, k: Value): Value {
  const mask = input(index);
  switch (shape(index).length) {
    case 1: {
      const places = b.unsqueeze(positions(b, k, 2), [0]);
      const lengths = b.unsqueeze(b.cast(mask, 'int64'), [1]);
      return b.unsqueeze(b.op('Less', [places, lengths]), [1, 2]);
    }
    case 2:
      return b.unsqueeze(b.cast(mask, 'bool'), [1, 2]);
    default:
      return b.unsqueeze(b.cast(mask, 'bool'), [1]);
  }
}

/** Width of the last axis. */
function hiddenSize({ fail }: VjpContext, x: Value): number {
  const size = x.shape?.at(-1);
  return typeof size === 'number' ? size : fail(`the width of "${x.name}" is not known`);
}

/** (input, weights, bias, mask, past, attention bias, past length) → (output, present). */
const selfAttention = byExpansion(context => {
  const { build: b, node, has, input, shape, fail } = context;
  if (node.int('do_rotary', 0) !== 0) fail('do_rotary is not supported');
  if (node.int('past_present_share_buffer', 0) !== 0) fail('a shared buffer is not supported');
  if (has(3) && shape(3).length > 3) fail('a mask of four axes is not supported');
  const heads = node.int('num_heads', 1);
  const third = hiddenSize(context, input(1)) / 3;
  const product = b.matmul(input(0), input(1));
  const projected = has(2) ? b.add(product, input(2)) : product;
  const sizes = node.ints('qkv_hidden_sizes') ?? [third, third, third];
  const split = cut(context, projected, sizes).map(part => splitHeads(context, part, heads));
  const past = has(4) ? [0, 1].map(i => b.op('Gather', [input(4), b.scalar(i, 'int64')])) : [];
  const q = split[0]!;
  const [k, v] = [split[1]!, split[2]!].map((x, i) => (past[i] ? b.concat([past[i], x], 2) : x)) as [
    Value,
    Value,
  ];
  const y = attend(context, {
    ...{ q, k, v },
    scale: node.float('scale', 0) || undefined,
    bias: has(5) ? input(5) : undefined,
    allowed: has(3) ? [allowedKeys(context, 3, k)] : [],
    causal: node.int('unidirectional', 0) ? { before: past[0] && b.sizesOf(past[0])[2]! } : undefined,
  });
  return [joinHeads(b, y), b.concat([b.unsqueeze(k, [0]), b.unsqueeze(v, [0])], 0)];
});

/** (query, key, value, bias, padding mask, attention bias, past key, past value) → (output, present key, present value). */
const multiHeadAttention = byExpansion(context => {
  const { build: b, node, has, input, shape, fail } = context;
  if (!has(1) || !has(2) || shape(0).length !== 3) fail('packed queries, keys and values are not supported');
  if (has(3) && (shape(1).length !== 3 || shape(2).length !== 3)) fail('a bias needs keys of three axes');
  const heads = node.int('num_heads', 1);
  const parts = [0, 1, 2].map(input);
  const biases = has(3)
    ? cut(
        context,
        input(3),
        parts.map(x => hiddenSize(context, x)),
      )
    : [];
  const [q, own, values] = parts.map((x, i) =>
    splitHeads(context, biases[i] ? b.add(x, biases[i]) : x, heads),
  ) as [Value, Value, Value];
  const [k, v] = [afterPast(context, 6, own), afterPast(context, 7, values)];
  const y = attend(context, {
    ...{ q, k, v },
    scale: node.float('scale', 0) || undefined,
    bias: has(5) ? input(5) : undefined,
    allowed: has(4) ? [allowedKeys(context, 4, k)] : [],
    causal: node.int('unidirectional', 0)
      ? { before: has(6) ? b.sizesOf(input(6))[2]! : undefined }
      : undefined,
  });
  return [joinHeads(b, y), k, v];
});

/** (words, segments, word table, position table, segment table, γ, β, mask, positions) → (output, lengths, sum). */
const embedLayerNormalization = byExpansion(({ build: b, node, has, input }) => {
  const words = b.op('Gather', [input(2), input(0)]);
  const places = has(8)
    ? b.op('Gather', [input(3), input(8)])
    : b.op('Gather', [input(3), positions(b, input(0), 1)]);
  const both = b.add(words, places);
  const sum = has(4) ? b.add(both, b.op('Gather', [input(4), input(1)])) : both;
  const epsilon = node.float('epsilon', 1e-12);
  return [b.op('LayerNormalization', [sum, input(5), input(6)], { axis: -1, epsilon }), null, sum];
});

export const microsoftAttentionGradients: Gradients = {
  Attention: selfAttention,
  MultiHeadAttention: multiHeadAttention,
  EmbedLayerNormalization: embedLayerNormalization,
  RotaryEmbedding: rotaryEmbedding(2, 3),
};
