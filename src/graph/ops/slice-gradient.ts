import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

const normalize = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** 0, 1, …, size − 1 of an axis. */
function positions(b: Builder, x: Value, axis: number): Value {
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

/** Zero padding where steps are 1 or −1 and sizes are known, else by the indices that the slice picks. */
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
    if (typeof dim === 'number' && starts && ends && (step === 1 || step === -1)) {
      const { first, length } = extent(dim, starts[i]!, ends[i]!, step);
      if (step === -1) g = b.reverse(g, [axis]);
      const begin = step === 1 ? first : first - length + 1;
      pads[axis] = length === 0 ? 0 : begin;
      pads[axis + rank] = dim - length - pads[axis]!;
      return;
    }
    const one = (list: number): Value => b.op('Slice', [input(list), b.ints([i]), b.ints([i + 1])]);
    const step1 = has(4) ? one(4) : b.ints([1]);
    g = scatterBack(b, g, input(0), axis, all => b.op('Slice', [all, one(1), one(2), b.ints([0]), step1]));
  });
  return [b.pad(g, pads)];
};

/** Which entries of an axis a slice of step ±1 takes. */
function extent(dim: number, start: number, end: number, step: 1 | -1): { first: number; length: number } {
  const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
  const from = start < 0 ? start + dim : start;
  const to = end < 0 ? end + dim : end;
  if (step === 1) {
    const first = clamp(from, 0, dim);
    return { first, length: Math.max(0, clamp(to, 0, dim) - first) };
  }
  const first = clamp(from, 0, dim - 1);
  return { first, length: Math.max(0, first - clamp(to, -1, dim - 1)) };
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

export const slicingGradients: Gradients = {
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
