import { sameDim } from '../dims.js';
import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

const KEPT = [
  'mode',
  'coordinate_transformation_mode',
  'nearest_mode',
  'cubic_coeff_a',
  'exclude_outside',
  'antialias',
];

/**
 * Resizing is linear and works axis by axis, so it multiplies each axis by a matrix; the gradient multiplies by its
 * transpose. The operator itself says what that matrix is: it resizes the identity.
 */
const resize: Vjp = context => {
  const { build: b, gradient, node, input, output, shape, fail } = context;
  if (node.string('coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize') {
    fail('tf_crop_and_resize is not supported', 'Crop with Slice before a plain Resize');
  }
  const rank = shape(0).length;
  const policy = node.string('keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch')
    fail(`keep_aspect_ratio_policy "${policy}" is not supported`, 'Give the sizes themselves');
  const axes = (node.ints('axes') ?? Array.from({ length: rank }, (_, i) => i)).map(a =>
    a < 0 ? a + rank : a,
  );
  let g = gradient;
  for (const [i, axis] of axes.entries()) {
    const [from, to] = [input(0).shape?.[axis] ?? null, output(0).shape?.[axis] ?? null];
    if (from !== null && to !== null && sameDim(from, to)) continue;
    const copies = copiesOf(context, axis);
    g = copies
      ? sumOfCopies(b, g, axis, copies)
      : alongAxis(b, g, axis, rank, m => interpolation(context, i, axis, m));
  }
  return [g];
};

/** How often each entry is repeated, where that is all that resizing does. */
function copiesOf({ node, input, output }: VjpContext, axis: number): number | undefined {
  const [from, to] = [input(0).fixedShape?.[axis], output(0).fixedShape?.[axis]];
  if (node.string('mode', 'nearest') !== 'nearest' || !from || !to || to % from !== 0) return undefined;
  const places = node.string('coordinate_transformation_mode', 'half_pixel');
  const rounding = node.string('nearest_mode', 'round_prefer_floor');
  const plain =
    (places === 'asymmetric' && rounding === 'floor') ||
    (/^(pytorch_)?half_pixel$/.test(places) && from > 1 && rounding.startsWith('round'));
  return plain ? to / from : undefined;
}

function sumOfCopies(b: Builder, g: Value, axis: number, copies: number): Value {
  const sizes = [...g.fixedShape!];
  sizes.splice(axis, 1, sizes[axis]! / copies, copies);
  return b.sum(b.reshape(g, sizes), [axis + 1]);
}

/** The matrix that resizing multiplies an axis by, (to, from), or transposed. */
function interpolation(context: VjpContext, index: number, axis: number, transposed: boolean): Value {
  const { build: b, node, has, input, output, numbers } = context;
  const x = input(0);
  const size = b.shapeFrom([b.sizesOf(x)[axis]!]);
  const square = b.concat([size, size], 0);
  const identity = b.op('EyeLike', [b.fill(square, 0, x)]);
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => KEPT.includes(name)));
  const pair = (own: Value, other: Value): Value => b.concat(transposed ? [other, own] : [own, other], 0);
  if (has(2) && numbers(2)?.length !== 0) {
    const scale = b.op('Slice', [input(2), b.ints([index]), b.ints([index + 1])]);
    const one = b.reshape(b.scalar(1), [1]);
    return b.op('Resize', [identity, null, pair(scale, one)], attributes);
  }
  const to = b.shapeFrom([b.sizesOf(output(0))[axis]!]);
  return b.op('Resize', [identity, null, null, pair(to, size)], attributes);
}

/** Multiplies one axis of g, of size `to`, by a (to, from) matrix; `matrix(true)` is its transpose. */
function alongAxis(
  b: Builder,
  g: Value,
  axis: number,
  rank: number,
  matrix: (transposed: boolean) => Value,
): Value {
  if (axis === rank - 1) return b.matmul(g, matrix(false));
  if (axis === rank - 2) return b.matmul(matrix(true), g);
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm[axis] = rank - 1;
  perm[rank - 1] = axis;
  return b.transpose(b.matmul(b.transpose(g, perm), matrix(false)), perm);
}

export const resizingGradients: Gradients = { Resize: resize };
