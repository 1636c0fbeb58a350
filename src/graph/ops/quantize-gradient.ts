import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

/** y = (x − z)·s, where s and z are for the tensor, for each entry of an axis, or for blocks along it. */
const dequantizeLinear: Vjp = context => {
  const { build: b, gradient: g, node, has, input, shape } = context;
  const scale = input(1);
  const dtype = scale.dtype ?? 'float32';
  const [rank, own] = [shape(0).length, shape(1).length];
  const axis = node.int('axis', 1);
  const along = axis < 0 ? axis + rank : axis;
  const blocks = own === rank && rank > 0 && node.int('block_size', 0) > 0;
  const spread = (parameter: Value): Value => {
    if (blocks) return repeatBlocks(context, parameter, along);
    if (own !== 1 || shape(1)[0] === 1) return parameter;
    return b.reshape(
      parameter,
      shape(0).map((_, i) => (i === along ? -1 : 1)),
    );
  };
  const x = b.cast(input(0), dtype);
  const centred = has(2) ? b.sub(x, spread(b.cast(input(2), dtype))) : x;
  const product = b.mul(g, centred);
  if (blocks) return [null, sumBlocks(context, product, along)];
  return [null, b.reshapeLike(b.reduceLike(product, spread(scale)), scale)];
};

/** Sizes of an axis in blocks: how many, and how many entries each. @throws where they do not fit */
function blockSizes({ node, shape, fail }: VjpContext, axis: number): [count: number, size: number] {
  const [total, size] = [shape(0)[axis], node.int('block_size', 0)];
  if (typeof total !== 'number') fail('the size of the axis that its blocks divide is not known');
  if ((total as number) % size !== 0) fail('its last block is not full');
  return [(total as number) / size, size];
}

function repeatBlocks(context: VjpContext, parameter: Value, axis: number): Value {
  const { build: b, input, shape } = context;
  const [, size] = blockSizes(context, axis);
  const repeats = [...shape(0).map(() => 1), 1];
  repeats[axis + 1] = size;
  return b.reshapeLike(b.op('Tile', [b.unsqueeze(parameter, [axis + 1]), b.ints(repeats)]), input(0));
}

function sumBlocks(context: VjpContext, x: Value, axis: number): Value {
  const { build: b } = context;
  const [count, size] = blockSizes(context, axis);
  const sizes = b.sizesOf(x);
  sizes.splice(axis, 1, count, size);
  return b.sum(b.reshape(x, b.shapeFrom(sizes)), [axis + 1]);
}

export const quantizationGradients: Gradients = { DequantizeLinear: dequantizeLinear };

/** A·W with W packed: W as floats is what the operator makes of the identity, which ONNX Runtime folds on loading. */
export const packedMatMul: Vjp = context => {
  const { build: b, gradient: g, node, inputs, has, input, needs, fail } = context;
  if (needs(2)) {
    fail(
      'its packed weight and scales are not trained',
      'Train what stands around it, such as low-rank adapters',
    );
  }
  const k = node.int('K', 0);
  const { accuracy_level: _, ...attributes } = Object.fromEntries(node.attributes);
  const dense = b.op(node.opType, [identity(b, k, g), ...inputs.slice(1, 5)], attributes, node.domain);
  const dx = b.matmul(g, b.transpose(dense, [1, 0])); // (…, N)·(N, K)
  return [dx, null, null, null, null, has(5) ? b.reduceLike(g, input(5)) : null];
};

const identity = (b: Builder, size: number, like: Value): Value =>
  b.op('EyeLike', [b.fill(b.ints([size, size]), 0, like)]);
