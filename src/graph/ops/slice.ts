import { addDims, ceilDiv, sameDim, subDims } from '../dims.js';
import type { Dim, Shape } from '../value.js';
import { intsOf, normalizeAxis, unknownShape, withDim } from './axes.js';
import { formatShape } from './broadcast.js';
import { defineOp, defineOps, type InferContext, type OpDefinition } from './definition.js';
import { pickElements } from './elements.js';
import { sameAsFirst } from './elementwise.js';
import { slicingGradients } from './slice-gradient.js';
import { withGradients } from './vjp.js';

/** Bounds beyond this mean "to the end": exporters write INT64_MAX, INT32_MAX and the like. */
const FAR = 2 ** 31 - 2;

/** Number of elements that a slice takes from an axis. */
function slicedDim(dim: Dim, start: Dim, end: Dim, step: Dim): Dim {
  if (typeof step !== 'number' || step === 0 || start === null || end === null) return null;
  if (typeof dim === 'number' && typeof start === 'number' && typeof end === 'number') {
    return slicedCount(dim, start, end, step);
  }
  // A name: only bounds that are surely inside count. Sizes are taken to reach the slice's start.
  if (step < 0) {
    return start === -1 && typeof end === 'number' && end < -FAR ? ceilDiv(dim, -step) : null;
  }
  const from = position(start, dim);
  const to = typeof end === 'number' && end >= FAR ? dim : position(end, dim);
  if (from === null || to === null) return null;
  if (sameDim(to, dim)) return ceilDiv(subDims(dim, from), step);
  // min(end, dim) is the end where it is counted from the back. A named end of a numbered axis (the positions in
  // use out of all there are) is taken to lie inside: beyond it the model would not work either.
  const inside =
    (typeof end === 'number' && end < 0) ||
    relative(to, dim) ||
    (typeof dim === 'number' && typeof to === 'string');
  if (!inside) return null;
  const count = ceilDiv(subDims(to, from), step);
  return typeof count === 'number' ? Math.max(0, count) : count;
}

/** A bound counted from the front. */
function position(bound: Dim, dim: Dim): Dim {
  return typeof bound === 'number' && bound < 0 ? addDims(dim, bound) : bound;
}

/** Whether a bound is the size less a positive number. */
function relative(bound: Dim, dim: Dim): boolean {
  const below = subDims(dim, bound);
  return typeof below === 'number' && below >= 0;
}

function slicedCount(size: number, start: number, end: number, step: number): number {
  const clamp = (bound: number, low: number, high: number): number =>
    Math.min(Math.max(bound < 0 ? bound + size : bound, low), high);
  const from = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
  const to = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
  return Math.max(0, Math.ceil((to - from) / step));
}

const slice = defineOp({
  op: 'Slice',
  infer(context) {
    const x = context.shape(0);
    const attribute = context.node.ints('starts');
    const starts = attribute ?? context.elements(1)?.values;
    const ends = context.node.ints('ends') ?? context.elements(2)?.values;
    const count = starts?.length ?? context.shape(1)?.[0];
    const axes =
      intsOf(context, 'axes', 3) ?? (typeof count === 'number' ? [...Array(count).keys()] : 'unknown');
    const steps = context.has(4) ? context.elements(4)?.values : undefined;
    if (!x || axes === 'unknown') {
      context.set(0, context.dtype(0), x && unknownShape(x.length));
      return;
    }
    let shape: Shape = x;
    axes.forEach((given, i) => {
      const axis = normalizeAxis(context, given, x.length);
      const step = context.has(4) ? (steps?.[i] ?? null) : 1;
      shape = withDim(shape, axis, slicedDim(x[axis]!, starts?.[i] ?? null, ends?.[i] ?? null, step));
    });
    context.set(0, context.dtype(0), shape);
    const list = context.elements(0);
    if (!list) return;
    // First element and step of each axis, as far as they are numbers.
    const from = x.map(() => 0);
    const by = x.map(() => 1);
    for (const [i, given] of axes.entries()) {
      const axis = normalizeAxis(context, given, x.length);
      const step = context.has(4) ? steps?.[i] : 1;
      const start = starts?.[i];
      if (typeof start !== 'number' || typeof step !== 'number') return;
      const size = list.dims[axis]!;
      from[axis] = Math.min(Math.max(start < 0 ? start + size : start, 0), step > 0 ? size : size - 1);
      by[axis] = step;
    }
    const locate = (position: readonly number[]): number[] =>
      position.map((index, axis) => from[axis]! + index * by[axis]!);
    context.setElements(0, pickElements(list, shape, locate));
  },
});

const split = defineOp({
  op: 'Split',
  infer(context) {
    const x = context.shape(0);
    const parts = context.node.outputs.length;
    const given = context.has(1) ? context.elements(1)?.values : context.node.ints('split');
    const axis = x && normalizeAxis(context, context.node.int('axis', 0), x.length);
    const whole = x ? x[axis!]! : null;
    if (given && given.length !== parts) context.fail(`${given.length} split sizes for ${parts} outputs`);
    const list = context.elements(0);
    let at = 0;
    for (let i = 0; i < parts; i++) {
      const part = given ? given[i]! : context.has(1) ? null : evenPart(context, whole, parts, i);
      context.set(i, context.dtype(0), x && withDim(x, axis!, part));
      if (list?.dims.length === 1 && typeof part === 'number') {
        context.setElements(i, list.values.slice(at, at + part));
        at += part;
      }
    }
  },
});

/** Equal parts; since opset 18 the last one may be smaller. */
function evenPart(context: InferContext, whole: Dim, parts: number, index: number): Dim {
  if (typeof whole !== 'number') {
    const part = ceilDiv(whole, parts);
    // Of a name it is not known whether it divides.
    return part !== null && sameDim(part, whole) ? part : null;
  }
  const part = Math.ceil(whole / parts);
  if (whole % parts !== 0 && context.opset < 18)
    context.fail(`an axis of ${whole} does not split into ${parts}`);
  return index < parts - 1 ? part : whole - part * (parts - 1);
}

const concat = defineOp({
  op: 'Concat',
  infer(context) {
    const inputs = context.node.inputs.map((_, i) => i);
    const shapes = inputs.map(i => context.shape(i));
    const known = shapes.find(shape => shape !== undefined);
    const dtypes = new Set(inputs.map(i => context.dtype(i)).filter(dtype => dtype !== undefined));
    if (dtypes.size > 1) context.fail(`inputs have dtypes ${[...dtypes].join(' and ')}`, 'Insert a Cast');
    const [dtype] = dtypes;
    if (!known) {
      context.set(0, dtype);
      return;
    }
    const axis = normalizeAxis(context, context.node.int('axis', 1), known.length);
    const result = known.map((_, i): Dim => {
      if (i === axis) return shapes.reduce<Dim>((sum, shape) => addDims(sum, shape?.[axis] ?? null), 0);
      let dim: Dim = null;
      for (const shape of shapes) {
        if (!shape) continue;
        if (shape.length !== known.length) {
          context.fail(`${formatShape(known)} and ${formatShape(shape)} differ in rank`);
        }
        const own = shape[i]!;
        if (typeof own === 'number' && typeof dim === 'number' && own !== dim) {
          context.fail(`${formatShape(known)} and ${formatShape(shape)} differ in axis ${i}`);
        }
        // The number says most, then a name.
        if (typeof own === 'number' || dim === null) dim = own;
      }
      return dim;
    });
    context.set(0, dtype, result);
    if (known.length !== 1) return;
    const lists = inputs.map((i): readonly Dim[] | undefined => {
      const elements = context.elements(i)?.values;
      const length = shapes[i]?.[0];
      // Of a list of known length at least the length stays.
      return (
        elements ??
        (typeof length === 'number' && length <= 16 ? new Array<null>(length).fill(null) : undefined)
      );
    });
    if (lists.every(list => list !== undefined)) context.setElements(0, lists.flat());
  },
});

const pad = defineOp({
  op: 'Pad',
  infer(context) {
    const x = context.shape(0);
    const pads = context.has(1)
      ? context.elements(1)?.values
      : (context.node.ints('pads') ?? context.node.ints('paddings'));
    if (!x || !pads) {
      context.set(0, context.dtype(0), x && unknownShape(x.length));
      return;
    }
    const given = intsOf(context, 'axes', 3);
    if (given === 'unknown') {
      context.set(0, context.dtype(0), unknownShape(x.length));
      return;
    }
    const axes = (given ?? [...x.keys()]).map(axis => normalizeAxis(context, axis, x.length));
    if (pads.length !== 2 * axes.length) context.fail(`${pads.length} pads for ${axes.length} axes`);
    const shape = [...x];
    axes.forEach((axis, i) => {
      shape[axis] = addDims(addDims(x[axis]!, pads[i]!), pads[i + axes.length]!);
    });
    context.set(0, context.dtype(0), shape);
  },
});

const centerCropPad = defineOp({
  op: 'CenterCropPad',
  infer(context) {
    const x = context.shape(0);
    const target = context.elements(1)?.values;
    const axes = x && (context.node.ints('axes') ?? [...x.keys()]);
    const shape = x && [...x];
    axes?.forEach((axis, i) => {
      shape![normalizeAxis(context, axis, shape!.length)] = target?.[i] ?? null;
    });
    context.set(0, context.dtype(0), shape);
  },
});

export const slicing: readonly OpDefinition[] = withGradients(
  [slice, split, concat, pad, centerCropPad, ...defineOps('ReverseSequence', { infer: sameAsFirst })],
  slicingGradients,
);
