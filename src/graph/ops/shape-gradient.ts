import { isFloat } from '../dtype.js';
import { inversePermutation } from './shape-builder.js';
import type { Gradients, Vjp } from './vjp.js';

/** The same elements in another shape. */
const reshaped: Vjp = ({ build, gradient, input }) => [build.reshapeLike(gradient, input(0))];

const transpose: Vjp = ({ build, gradient, node, shape }) => {
  const rank = shape(0).length;
  const perm = node.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return [build.transpose(gradient, inversePermutation(perm))];
};

/** Sums over the copies: (r₀·d₀, r₁·d₁, …) as (r₀, d₀, r₁, d₁, …). */
const tile: Vjp = ({ build: b, gradient, input, numbers, shape }) => {
  const rank = shape(0).length;
  const repeats = numbers(1);
  const sizes = input(0).fixedShape;
  let target: ReturnType<typeof b.ints>;
  if (repeats && sizes) target = b.ints(sizes.flatMap((size, i) => [repeats[i]!, size]));
  else {
    const pairs = [b.unsqueeze(input(1), [1]), b.unsqueeze(b.shapeOf(input(0)), [1])];
    target = b.reshape(b.concat(pairs, 1), [-1]);
  }
  const copies = Array.from({ length: rank }, (_, i) => 2 * i);
  return [b.sum(b.reshape(gradient, target), copies)];
};

const depthToSpace: Vjp = ({ build: b, gradient, node, input }) => {
  const blocksize = node.int('blocksize', 1);
  if (node.string('mode', 'DCR') === 'DCR') return [b.op('SpaceToDepth', [gradient], { blocksize })];
  const [batch, channels, height, width] = b.sizesOf(input(0));
  const kept = typeof channels === 'number' ? channels / blocksize ** 2 : -1;
  const apart = [batch!, kept, height!, blocksize, width!, blocksize];
  // (N, C, H, b, W, b) → (N, C, b, b, H, W)
  const sorted = b.transpose(b.reshape(gradient, b.shapeFrom(apart)), [0, 1, 3, 5, 2, 4]);
  return [b.reshapeLike(sorted, input(0))];
};

const cast: Vjp = ({ build, gradient, input }) => {
  const dtype = input(0).dtype;
  return [dtype && isFloat(dtype) ? build.cast(gradient, dtype) : null];
};

export const shapeGradients: Gradients = {
  Identity: ({ gradient }) => [gradient],
  Shape: () => [],
  Size: () => [],
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Expand: ({ build, gradient, input }) => [build.reduceLike(gradient, input(0))],
  Transpose: transpose,
  Tile: tile,
  Trilu: ({ build, gradient, node, inputs }) => [
    build.op('Trilu', [gradient, ...inputs.slice(1)], { upper: node.int('upper', 1) }, node.domain),
  ],
  DepthToSpace: depthToSpace,
  SpaceToDepth: ({ build, gradient, node }) => [
    build.op('DepthToSpace', [gradient], { blocksize: node.int('blocksize', 1) }),
  ],
};

export const castGradients: Gradients = { Cast: cast, CastLike: cast };
