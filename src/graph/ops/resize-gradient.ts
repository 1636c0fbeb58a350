import { sameDim } from '../dims.js';
import { dtypeCode } from '../dtype.js';
import { Tensor } from '../tensor.js';
import type { Dim, Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Size } from './shape-builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

const KEPT = [
  'mode',
  'coordinate_transformation_mode',
  'nearest_mode',
  'cubic_coeff_a',
  'exclude_outside',
  'antialias',
];

const INT32 = dtypeCode('int32');

/**
 * Resizing is linear and works axis by axis, so it multiplies each axis by a matrix; the gradient multiplies by its
 * transpose. The operator itself says what that matrix is: it resizes the identity.
 */
const resize: Vjp = context => {
  const { build: b, gradient, node, input, shape, fail } = context;
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
    if (isUnchanged(context, i, axis)) continue;
    const copies = copiesOf(context, i, axis);
    g = copies
      ? sumOfCopies(b, g, axis, copies)
      : alongAxis(b, g, axis, interpolation(context, i, axis), b.sizesOf(input(0))[axis]!);
  }
  return [g];
};

/** Whether the sizes follow from scales, rather than the scales from sizes. */
const isByScales = ({ has, numbers }: VjpContext): boolean => has(2) && numbers(2)?.length !== 0;

const sizesAround = ({ input, output }: VjpContext, axis: number): [from: Dim, to: Dim] => [
  input(0).shape?.[axis] ?? null,
  output(0).shape?.[axis] ?? null,
];

const isSame = ([from, to]: [Dim, Dim]): boolean => from !== null && to !== null && sameDim(from, to);

/** Whether an axis stays as it is. A scale of 1.2 resamples 4 entries to 4 others, unless no axis changes its size. */
function isUnchanged(context: VjpContext, index: number, axis: number): boolean {
  if (!isSame(sizesAround(context, axis))) return false;
  if (!isByScales(context) || context.numbers(2)?.[index] === 1) return true;
  return context.shape(0).every((_, i) => isSame(sizesAround(context, i)));
}

/** How often each entry is repeated, where that is all that resizing does. */
function copiesOf(context: VjpContext, index: number, axis: number): number | undefined {
  const { node, numbers } = context;
  const [from, to] = sizesAround(context, axis);
  if (node.string('mode', 'nearest') !== 'nearest' || typeof from !== 'number' || typeof to !== 'number') {
    return undefined;
  }
  if (from === 0 || to === 0 || to % from !== 0) return undefined;
  // With a scale of 2.3, 3 entries become 6, but not each becomes two.
  if (isByScales(context) && numbers(2)?.[index] !== to / from) return undefined;
  const places = node.string('coordinate_transformation_mode', 'half_pixel');
  const rounding = node.string('nearest_mode', 'round_prefer_floor');
  const plain =
    (places === 'asymmetric' && rounding === 'floor') ||
    (/^(pytorch_)?half_pixel$/.test(places) && from > 1 && rounding.startsWith('round'));
  return plain ? to / from : undefined;
}

function sumOfCopies(b: Builder, g: Value, axis: number, copies: number): Value {
  const sizes = b.sizesOf(g);
  sizes.splice(axis, 1, (sizes[axis] as number) / copies, copies);
  return b.sum(b.reshape(g, b.shapeFrom(sizes)), [axis + 1]);
}

/** The matrix that resizing multiplies an axis by, (from, to): what the operator makes of the identity. */
function interpolation(context: VjpContext, index: number, axis: number): Value {
  const { build: b, node, input, output, numbers } = context;
  const x = input(0);
  const size = b.shapeFrom([b.sizesOf(x)[axis]!]);
  const identity = b.op('EyeLike', [b.fill(b.concat([size, size], 0), 0, x)]);
  // Rows are images of one column, which is doubled: ONNX Runtime copies images that keep their size.
  const images = b.unsqueeze(identity, [1, 3]);
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => KEPT.includes(name)));
  const first = (resized: Value): Value =>
    b.squeeze(b.op('Slice', [resized, b.ints([0]), b.ints([1]), b.ints([3])]), [1, 3]);
  if (!isByScales(context)) {
    const to = b.shapeFrom([b.sizesOf(output(0))[axis]!]);
    const target = b.concat([size, b.ints([1]), to, b.ints([2])], 0);
    return first(b.op('Resize', [images, null, null, target], attributes));
  }
  const factors = (values: number[]): Value => b.constant(Tensor.float32([values.length], values));
  const own = b.op('Slice', [input(2), b.ints([index]), b.ints([index + 1])]);
  const scales = b.concat([factors([1, 1]), own, factors([2])], 0);
  const matrix = first(b.op('Resize', [images, null, scales], attributes));
  const scale = numbers(2)?.[index] ?? Number.NaN;
  if (scale < 1 || scale >= 2 || (x.fixedShape && output(0).fixedShape)) return matrix;
  const equal = b.op('Cast', [b.binary('Equal', b.shapeOf(x), b.shapeOf(output(0)))], { to: INT32 });
  const copied = b.cast(b.op('ReduceMin', [equal], { keepdims: 0 }), 'bool');
  return b.where(copied, b.op('EyeLike', [matrix]), matrix);
}

/** Multiplies one axis of g, of size `to`, by the transpose of a (from, to) matrix. */
function alongAxis(b: Builder, g: Value, axis: number, matrix: Value, from: Size): Value {
  const rank = g.shape!.length;
  const someImage = g.shape!.slice(0, axis).every(dim => typeof dim === 'number' && dim > 0);
  if (axis === rank - 2 && someImage) return b.matmul(matrix, g);
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm[axis] = rank - 1;
  perm[rank - 1] = axis;
  const turned = b.transpose(g, perm);
  const sizes = b.sizesOf(turned);
  sizes[rank - 1] = from;
  // As one matrix: ONNX Runtime broadcasts none over no images.
  const product = b.gemm(b.op('Flatten', [turned], { axis: -1 }), matrix, { transB: true });
  return b.transpose(b.reshape(product, b.shapeFrom(sizes)), perm);
}

export const resizingGradients: Gradients = { Resize: resize };
