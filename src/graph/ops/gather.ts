import { dtypeFromCode } from '../dtype.js';
import type { Dim, Shape } from '../value.js';
import { normalizeAxis, unknownShape } from './axes.js';
import { defineOp, defineOps, type InferContext, type OpDefinition } from './definition.js';
import { pickElements } from './elements.js';
import { sameAsFirst } from './elementwise.js';
import { gatheringGradients } from './gather-gradient.js';
import { withGradients } from './vjp.js';

const gather = defineOp({
  op: 'Gather',
  infer(context) {
    const x = context.shape(0);
    const indices = context.shape(1);
    if (!x) {
      context.set(0, context.dtype(0));
      return;
    }
    const axis = normalizeAxis(context, context.node.int('axis', 0), x.length);
    context.set(0, context.dtype(0), indices && [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)]);
    const list = context.elements(0);
    const picks = context.numbers(1);
    if (!list || !picks) return;
    const size = list.dims[axis]!;
    const wrong = picks.find(pick => pick < -size || pick >= size);
    if (wrong !== undefined) context.fail(`index ${wrong} is out of range for an axis of ${size}`);
    const pickDims = context.elements(1)!.dims;
    const rank = pickDims.length;
    const locate = (position: readonly number[]): number[] => {
      const flat = pickDims.reduce((at, dim, i) => at * dim + position[axis + i]!, 0);
      const index = picks[flat]!;
      const taken = index < 0 ? index + size : index;
      return [...position.slice(0, axis), taken, ...position.slice(axis + rank)];
    };
    context.setElements(
      0,
      pickElements(list, [...list.dims.slice(0, axis), ...pickDims, ...list.dims.slice(axis + 1)], locate),
    );
  },
});

const gatherElements = defineOp({
  op: 'GatherElements',
  infer(context) {
    context.set(0, context.dtype(0), context.shape(1));
  },
});

const gatherNd = defineOp({
  op: 'GatherND',
  infer(context) {
    const x = context.shape(0);
    const indices = context.shape(1);
    const depth = indices?.at(-1);
    const batch = context.node.int('batch_dims', 0);
    if (x && typeof depth === 'number' && batch + depth > x.length) {
      context.fail(`indices of depth ${depth} into rank ${x.length}`);
    }
    const shape: Shape | undefined =
      x && indices && typeof depth === 'number'
        ? [...indices.slice(0, -1), ...x.slice(batch + depth)]
        : undefined;
    context.set(0, context.dtype(0), shape);
  },
});

const scatter = defineOps('ScatterElements Scatter ScatterND TensorScatter', { infer: sameAsFirst });

const oneHot = defineOp({
  op: 'OneHot',
  infer(context) {
    const indices = context.shape(0);
    const depth: Dim = context.elements(1)?.values[0] ?? null;
    const rank = indices && indices.length + 1;
    const axis = rank === undefined ? 0 : normalizeAxis(context, context.node.int('axis', -1), rank);
    context.set(0, context.dtype(2), indices && [...indices.slice(0, axis), depth, ...indices.slice(axis)]);
  },
});

const nonZero = defineOp({
  op: 'NonZero',
  infer(context) {
    context.set(0, 'int64', [context.shape(0)?.length ?? null, null]);
  },
});

const compress = defineOp({
  op: 'Compress',
  infer(context) {
    const x = context.shape(0);
    const axis = context.node.int('axis');
    const condition = context.elements(1)?.values;
    const kept = condition?.every(v => v !== null) ? condition.filter(v => v !== 0).length : null;
    if (axis === undefined) context.set(0, context.dtype(0), [kept]);
    else {
      const at = x && normalizeAxis(context, axis, x.length);
      context.set(
        0,
        context.dtype(0),
        x?.map((dim, i) => (i === at ? kept : dim)),
      );
    }
  },
});

const unique = defineOp({
  op: 'Unique',
  infer(context) {
    const x = context.shape(0);
    const axis = context.node.int('axis');
    const at = axis === undefined || !x ? undefined : normalizeAxis(context, axis, x.length);
    context.set(
      0,
      context.dtype(0),
      axis === undefined ? [null] : x?.map((dim, i) => (i === at ? null : dim)),
    );
    for (const i of [1, 2, 3]) context.set(i, 'int64', [null]);
  },
});

const nonMaxSuppression = defineOp({
  op: 'NonMaxSuppression',
  infer: context => context.set(0, 'int64', [null, 3]),
});

const eyeLike = defineOp({
  op: 'EyeLike',
  infer(context: InferContext) {
    const code = context.node.int('dtype');
    context.set(
      0,
      code === undefined ? context.dtype(0) : dtypeFromCode(code),
      context.shape(0) ?? unknownShape(2),
    );
  },
});

export const gathering: readonly OpDefinition[] = withGradients(
  [
    gather,
    gatherElements,
    gatherNd,
    ...scatter,
    oneHot,
    nonZero,
    compress,
    unique,
    nonMaxSuppression,
    eyeLike,
  ],
  gatheringGradients,
);
