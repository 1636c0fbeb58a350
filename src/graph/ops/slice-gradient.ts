import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

const normalize = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** 0, 1, …, size − 1 of an axis. */
export function positions(b: Builder, x: Value, axis: number): Value {
  const scalar = (value: number): Value => b.scalar(value, 'int64');
  const size = b.sizesOf(x)[axis]!;
  const limit = typeof size === 'number' ? scalar(size) : b.squeeze(size, [0]);
  return b.op('Range', [scalar(0), limit, scalar(1)]);
}

/** Sends each entry along `axis` back to where `pick` took it from, given the positions along that axis. */
function scatterBack(b: Builder, g: Value, x: Value, axis: number, pick: (positions: Value) => Value): Value {
  const sizes = b.sizesOf(g);
  sizes[axis] = b.sizesOf(x)[axis]!;
  return b.scatterAdd(g, pick(positions(b, x, axis)), axis, sizes);
}

/** Zeros around and between where sizes are known, else by the indices that the slice picks. */
const slice: Vjp = context => {
  const { build: b, has, input, shape, numbers } = context;
  const rank = shape(0).length;
  const count = shape(1)[0];
  const given = has(3) ? numbers(3) : undefined;
  if ((has(3) && !given) || (!given && typeof count !== 'number')) {
    context.fail('its axes are not known before it runs');
  }
  const axes = (given ?? Array.from({ length: count as number }, (_, i) => i)).map(a => normalize(a, rank));
  const [starts, ends] = [numbers(1), numbers(2)];
  const steps = has(4) ? numbers(4) : axes.map(() => 1);
  const pads = new Array<number>(2 * rank).fill(0);
  let g = context.gradient;
  axes.forEach((axis, i) => {
    const dim = shape(0)[axis];
    const step = steps?.[i];
    if (typeof dim === 'number' && starts && ends && step) {
      const { first, length } = extent(dim, starts[i]!, ends[i]!, step);
      const stride = Math.abs(step);
      if (step < 0) g = b.reverse(g, [axis]);
      if (stride > 1 && length > 0) g = spaced(b, g, axis, length, stride);
      pads[axis] = step > 0 || length === 0 ? first : first - (length - 1) * stride;
      pads[axis + rank] = dim - length * stride - pads[axis];
      return;
    }
    const one = (list: number): Value => b.op('Slice', [input(list), b.ints([i]), b.ints([i + 1])]);
    const step1 = has(4) ? one(4) : b.ints([1]);
    g = scatterBack(b, g, input(0), axis, all => b.op('Slice', [all, one(1), one(2), b.ints([0]), step1]));
  });
  return [b.pad(g, pads)];
};

/** The `length` entries along an axis with stride − 1 zeros after each. */
function spaced(b: Builder, g: Value, axis: number, length: number, stride: number): Value {
  const sizes = b.sizesOf(g);
  const apart = b.unsqueeze(g, [axis + 1]);
  const pads = new Array<number>(2 * sizes.length + 2).fill(0);
  pads[pads.length / 2 + axis + 1] = stride - 1;
  sizes[axis] = length * stride;
  return b.reshape(b.pad(apart, pads), b.shapeFrom(sizes));
}

/** Which entries of an axis a slice takes. */
function extent(dim: number, start: number, end: number, step: number): { first: number; length: number } {
  const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
  const from = start < 0 ? start + dim : start;
  const to = end < 0 ? end + dim : end;
  const first = step > 0 ? clamp(from, 0, dim) : clamp(from, 0, dim - 1);
  const last = step > 0 ? clamp(to, 0, dim) : clamp(to, -1, dim - 1);
  return { first, length: Math.max(0, Math.ceil((last - first) / step)) };
}

const split: Vjp = ({ build: b, node, outputGradients, output }) => {
  const parts = node.outputs.map((_, i) => outputGradients[i] ?? b.zerosLike(output(i)));
  return [b.concat(parts, node.int('axis', 0))];
};

const concat: Vjp = ({ build: b, gradient: g, node, inputs, input, shape, needs }) => {
  const axis = normalize(node.int('axis', 0), shape(0).length);
  const sizes = inputs.map((_, i) => b.sizesOf(input(i))[axis]!);
  const wanted = inputs.flatMap((_, i) => (needs(i) ? [i] : []));
  if (wanted.length === 1 && sizes.every(size => typeof size === 'number')) {
    const start = sizes.slice(0, wanted[0]).reduce((a, d) => a + d, 0);
    const part = b.slice(g, [start], [start + sizes[wanted[0]!]!], [axis]);
    return inputs.map((_, i) => (i === wanted[0] ? part : null));
  }
  return b.node('Split', [g, b.shapeFrom(sizes)], { axis }, inputs.length).outputs;
};

/** Crops; what a mode other than `constant` copied goes back to where it was copied from. */
const pad: Vjp = context => {
  const { build: b, gradient: g, node, has, input, numbers } = context;
  const mode = node.string('mode', 'constant');
  if (mode !== 'constant') return [copiedPad(context, mode)];
  const pads = numbers(1);
  const cropped = b.op('Pad', [
    g,
    pads ? b.ints(pads.map(p => -p)) : b.neg(input(1)),
    ...(has(3) ? [null, input(3)] : []),
  ]);
  const all = (x: Value): Value => b.op('ReduceSum', [x], { keepdims: 0 });
  return [cropped, null, has(2) ? b.reshapeLike(b.sub(all(g), all(cropped)), input(2)) : null];
};

function copiedPad(
  { build: b, gradient, has, input, numbers, shape, fail }: VjpContext,
  mode: string,
): Value {
  const rank = shape(0).length;
  const pads = numbers(1) ?? fail(`the pads of mode "${mode}" are not known before it runs`);
  const axes = has(3) ? numbers(3) : Array.from({ length: rank }, (_, i) => i);
  if (!axes) fail('its axes are not known before it runs');
  let g = gradient;
  axes!.forEach((axis, i) => {
    const own = [pads[i]!, pads[i + axes!.length]!];
    if (own.every(p => p === 0)) return;
    g = scatterBack(b, g, input(0), normalize(axis, rank), all => b.op('Pad', [all, b.ints(own)], { mode }));
  });
  return g;
}

/** What was cropped at the centre is padded at the centre, and the other way round. */
const centerCropPad: Vjp = ({ build: b, gradient, node, input }) => {
  const axes = node.ints('axes');
  const target = axes ? b.op('Gather', [b.shapeOf(input(0)), b.ints(axes)]) : b.shapeOf(input(0));
  const back = b.op('CenterCropPad', [gradient, target], { ...(axes && { axes }) });
  return [b.reshapeLike(back, input(0))];
};

export const slicingGradients: Gradients = {
  CenterCropPad: centerCropPad,
  Slice: slice,
  Split: split,
  Concat: concat,
  Pad: pad,
  ReverseSequence: ({ build, gradient, node, input }) => [
    build.op('ReverseSequence', [gradient, input(1)], {
      batch_axis: node.int('batch_axis', 1),
      time_axis: node.int('time_axis', 0),
    }),
  ],
};
