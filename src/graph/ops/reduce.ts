import { addDims, mulDims } from '../dims.js';
import { sizeOf } from '../tensor.js';
import type { Dim, Shape } from '../value.js';
import { intsOf, normalizeAxis, unknownShape, withDim } from './axes.js';
import { defineOp, defineOps, flops, type InferContext, type OpDefinition } from './definition.js';
import { perElement, sameAsFirst } from './elementwise.js';
import { reductionGradients } from './reduce-gradient.js';
import { withGradients } from './vjp.js';

/** The shape after reduction over `axes`; 'unknown' axes leave the rank only where axes are kept. */
function reducedShape(
  context: InferContext,
  x: Shape | undefined,
  axes: readonly number[] | 'unknown',
  keep: boolean,
): Shape | undefined {
  if (!x) return undefined;
  if (axes === 'unknown') return keep ? unknownShape(x.length) : undefined;
  const gone = new Set(axes.map(axis => normalizeAxis(context, axis, x.length)));
  return keep ? x.map((dim, i) => (gone.has(i) ? 1 : dim)) : x.filter((_, i) => !gone.has(i));
}

function inferReduce(context: InferContext): void {
  const given = intsOf(context, 'axes', 1);
  const x = context.shape(0);
  const all = x?.map((_, i) => i) ?? 'unknown';
  const empty = given === undefined || given.length === 0;
  if (empty && context.node.int('noop_with_empty_axes', 0) !== 0) {
    sameAsFirst(context);
    return;
  }
  const axes = empty ? all : given;
  const shape = reducedShape(context, x, axes, context.node.int('keepdims', 1) !== 0);
  // All axes of an unknown shape, not kept: a scalar all the same.
  const scalar = empty && !x && context.node.int('keepdims', 1) === 0 ? [] : undefined;
  context.set(0, context.dtype(0), shape ?? scalar);
}

const reduce = defineOps('ReduceMean ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare', {
  infer: inferReduce,
  cost: context => flops(sizeOf(context.shape(0))),
});

/** Reductions that occur in the arithmetic of shapes: over a list of sizes. */
const reduceSizes = (op: string, combine: (a: Dim, b: Dim) => Dim): OpDefinition =>
  defineOp({
    op,
    infer(context) {
      inferReduce(context);
      const list = context.elements(0);
      if (list && list.dims.length === 1 && list.values.length > 0) {
        context.setElements(0, [list.values.reduce(combine)]);
      }
    },
    cost: context => flops(sizeOf(context.shape(0))),
  });

const numeric =
  (apply: (a: number, b: number) => number) =>
  (a: Dim, b: Dim): Dim =>
    typeof a === 'number' && typeof b === 'number' ? apply(a, b) : null;

const arg = defineOps('ArgMax ArgMin', {
  infer(context) {
    const keep = context.node.int('keepdims', 1) !== 0;
    context.set(0, 'int64', reducedShape(context, context.shape(0), [context.node.int('axis', 0)], keep));
  },
  cost: context => flops(sizeOf(context.shape(0))),
});

const topK = defineOp({
  op: 'TopK',
  infer(context) {
    const x = context.shape(0);
    const k = context.node.int('k') ?? context.elements(1)?.values[0] ?? null;
    const axis = x && normalizeAxis(context, context.node.int('axis', -1), x.length);
    const size = x?.[axis!];
    if (typeof size === 'number' && typeof k === 'number' && k > size) {
      context.fail(`k is ${k}, but the axis has ${size} entries`);
    }
    const shape = x && withDim(x, axis!, k);
    context.set(0, context.dtype(0), shape);
    context.set(1, 'int64', shape);
  },
  cost: context => flops(sizeOf(context.shape(0))),
});

const cumulative = defineOps('CumSum CumProd', { infer: sameAsFirst, cost: perElement(1) });

export const reduction: readonly OpDefinition[] = withGradients(
  [
    ...reduce,
    reduceSizes('ReduceSum', addDims),
    reduceSizes('ReduceProd', mulDims),
    reduceSizes('ReduceMax', numeric(Math.max)),
    reduceSizes('ReduceMin', numeric(Math.min)),
    ...arg,
    topK,
    ...cumulative,
  ],
  reductionGradients,
);
