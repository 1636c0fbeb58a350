import { countOf, divExact, mulDims, sameDim } from '../dims.js';
import { sizeOf } from '../tensor.js';
import type { Dim, Shape } from '../value.js';
import { intsOf, normalizeAxis, unknownShape } from './axes.js';
import { broadcastShapes, formatShape } from './broadcast.js';
import { defineOp, defineOps, type InferContext, type OpDefinition } from './definition.js';
import { pickElements } from './elements.js';
import { sameAsFirst } from './elementwise.js';
import { shapeGradients } from './shape-gradient.js';
import { withGradients } from './vjp.js';

const identity = defineOp({
  op: 'Identity',
  infer(context) {
    context.setType(0, context.type(0));
    context.setElements(0, context.elements(0)?.values);
  },
});

const shapeOp = defineOp({
  op: 'Shape',
  infer(context) {
    const x = context.shape(0);
    const clamp = (axis: number): number =>
      Math.min(Math.max(axis < 0 ? axis + x!.length : axis, 0), x!.length);
    const part = x?.slice(clamp(context.node.int('start', 0)), clamp(context.node.int('end', x.length)));
    context.set(0, 'int64', [part ? part.length : null]);
    context.setElements(0, part);
  },
});

const size = defineOp({
  op: 'Size',
  infer(context) {
    const x = context.shape(0);
    context.set(0, 'int64', []);
    context.setElements(0, x && [countOf(x)]);
  },
});

/** Shape of a Reshape whose target is `target`; 0 copies unless `allowZero`, one −1 takes the rest. */
function reshaped(
  context: InferContext,
  x: Shape | undefined,
  target: readonly Dim[],
  allowZero: boolean,
): Shape {
  const shape: Dim[] = target.map((dim, i) => {
    if (dim !== 0 || allowZero) return dim;
    if (x && i >= x.length)
      context.fail(`the target ${formatShape(target)} copies axis ${i} of ${formatShape(x)}`);
    return x?.[i] ?? null;
  });
  const open = shape.flatMap((dim, i) => (dim === -1 ? [i] : []));
  if (open.length > 1) context.fail(`the target ${formatShape(target)} has more than one -1`);
  if (!x) return shape.map(dim => (dim === -1 ? null : dim));
  // Equal dimensions cancel, so that an unknown one on both sides does no harm where it is copied.
  const left: Dim[] = [...x];
  const copied = shape.map((dim, i) => target[i] === 0 && !allowZero && dim !== 0);
  const right = shape.filter((dim, i) => {
    if (dim === -1) return false;
    // A zero makes the rest free.
    if (dim === 0) return true;
    const match = copied[i] ? left.indexOf(dim) : left.findIndex(own => sameDim(own, dim));
    if (match >= 0) left.splice(match, 1);
    return match < 0;
  });
  if (open.length === 1) {
    const rest = divExact(countOf(left), countOf(right));
    const known = [...left, ...right].every(dim => typeof dim === 'number');
    if (rest === null && known && countOf(right) !== 0) {
      context.fail(`${formatShape(x)} does not reshape to ${formatShape(target)}`);
    }
    shape[open[0]!] = rest;
    return shape;
  }
  if (left.every(isNumber) && right.every(isNumber) && countOf(left) !== countOf(right)) {
    context.fail(`${formatShape(x)} does not reshape to ${formatShape(target)}: the sizes differ`);
  }
  // The one dimension that is unknown on the right is what remains.
  const unknown = shape.flatMap((dim, i) => (dim === null && !copied[i] ? [i] : []));
  if (unknown.length === 1) {
    shape[unknown[0]!] = divExact(countOf(left), countOf(right.filter(dim => dim !== null)));
  }
  return shape;
}

const isNumber = (dim: Dim): boolean => typeof dim === 'number';

const reshape = defineOp({
  op: 'Reshape',
  infer(context) {
    const target = context.has(1) ? context.elements(1)?.values : context.node.ints('shape');
    if (!target) {
      const rank = context.shape(1)?.[0];
      context.set(0, context.dtype(0), typeof rank === 'number' ? unknownShape(rank) : undefined);
      return;
    }
    const shape = reshaped(context, context.shape(0), target, context.node.int('allowzero', 0) !== 0);
    context.set(0, context.dtype(0), shape);
    context.setElements(0, context.elements(0)?.values);
  },
});

const flatten = defineOp({
  op: 'Flatten',
  infer(context) {
    const x = context.shape(0);
    if (!x) {
      context.set(0, context.dtype(0), [null, null]);
      return;
    }
    const axis = context.node.int('axis', 1);
    const at = axis < 0 ? axis + x.length : axis;
    if (at < 0 || at > x.length) context.fail(`axis ${axis} is out of range for rank ${x.length}`);
    context.set(0, context.dtype(0), [countOf(x.slice(0, at)), countOf(x.slice(at))]);
  },
});

const squeeze = defineOp({
  op: 'Squeeze',
  infer(context) {
    const x = context.shape(0);
    const given = intsOf(context, 'axes', 1);
    let shape: Shape | undefined;
    if (x && given === undefined) {
      // Without axes every 1 goes; a size that is not known might be one.
      shape = x.every(isNumber) ? x.filter(dim => dim !== 1) : undefined;
    } else if (x && given !== 'unknown') {
      const axes = new Set(given!.map(axis => normalizeAxis(context, axis, x.length)));
      for (const axis of axes) {
        if (isNumber(x[axis]!) && x[axis] !== 1) context.fail(`axis ${axis} has size ${x[axis]}, not 1`);
      }
      shape = x.filter((_, i) => !axes.has(i));
    }
    context.set(0, context.dtype(0), shape);
    context.setElements(0, context.elements(0)?.values);
  },
});

const unsqueeze = defineOp({
  op: 'Unsqueeze',
  infer(context) {
    const x = context.shape(0);
    const given = intsOf(context, 'axes', 1);
    if (!x || given === 'unknown' || given === undefined) {
      context.set(0, context.dtype(0));
      return;
    }
    const rank = x.length + given.length;
    const axes = new Set(given.map(axis => normalizeAxis(context, axis, rank)));
    if (axes.size !== given.length) context.fail(`axes [${given.join(', ')}] repeat`);
    const rest = x[Symbol.iterator]();
    const shape = Array.from({ length: rank }, (_, i): Dim => (axes.has(i) ? 1 : rest.next().value!));
    context.set(
      0,
      context.dtype(0),
      shape.map(dim => dim ?? null),
    );
    context.setElements(0, context.elements(0)?.values);
  },
});

const expand = defineOp({
  op: 'Expand',
  infer(context) {
    const target = context.elements(1)?.values;
    const rank = context.shape(1)?.[0];
    const shape = target
      ? broadcastShapes(context, [context.shape(0), target])
      : typeof rank === 'number' && context.shape(0)
        ? unknownShape(Math.max(rank, context.shape(0)!.length))
        : undefined;
    context.set(0, context.dtype(0), shape);
    const elements = context.elements(0);
    if (elements?.values.length === 1 && shape?.every(isNumber)) {
      const count = sizeOf(shape as number[]);
      if (count <= 64) context.setElements(0, new Array<Dim>(count).fill(elements.values[0]!));
    }
  },
});

const tile = defineOp({
  op: 'Tile',
  infer(context) {
    const x = context.shape(0);
    const repeats = context.elements(1)?.values;
    if (x && repeats && repeats.length !== x.length) {
      context.fail(`${repeats.length} repeats for ${x.length} axes`);
    }
    context.set(
      0,
      context.dtype(0),
      x?.map((dim, i) => mulDims(dim, repeats?.[i] ?? null)),
    );
  },
});

function depthToSpace(sign: 1 | -1) {
  return (context: InferContext): void => {
    const x = context.shape(0);
    const block = context.node.int('blocksize', 1);
    if (!x) {
      context.set(0, context.dtype(0), unknownShape(4));
      return;
    }
    const [n, c, h, w] = x as [Dim, Dim, Dim, Dim];
    const shape =
      sign > 0
        ? [n, divExact(c, block * block), mulDims(h, block), mulDims(w, block)]
        : [n, mulDims(c, block * block), divExact(h, block), divExact(w, block)];
    if (sign > 0 && typeof c === 'number' && shape[1] === null) {
      context.fail(`${c} channels do not divide by ${block}²`);
    }
    context.set(0, context.dtype(0), shape);
  };
}

const transpose = defineOp({
  op: 'Transpose',
  infer(context) {
    const x = context.shape(0);
    const perm = context.node.ints('perm') ?? x?.map((_, i) => x.length - 1 - i);
    if (x && perm && (perm.length !== x.length || new Set(perm).size !== perm.length)) {
      context.fail(`perm [${perm.join(', ')}] is no order of ${x.length} axes`);
    }
    const axes = x && perm?.map(axis => normalizeAxis(context, axis, x.length));
    const shape = axes ? axes.map(axis => x[axis]!) : perm && unknownShape(perm.length);
    context.set(0, context.dtype(0), shape);
    const locate = (position: readonly number[]): number[] =>
      x!.map((_, axis) => position[axes!.indexOf(axis)]!);
    context.setElements(0, axes && pickElements(context.elements(0), shape, locate));
  },
});

export const shaping: readonly OpDefinition[] = withGradients(
  [
    identity,
    shapeOp,
    size,
    reshape,
    flatten,
    squeeze,
    unsqueeze,
    expand,
    tile,
    transpose,
    defineOp({ op: 'DepthToSpace', infer: depthToSpace(1) }),
    defineOp({ op: 'SpaceToDepth', infer: depthToSpace(-1) }),
    ...defineOps('Trilu', { infer: sameAsFirst }),
  ],
  shapeGradients,
);
