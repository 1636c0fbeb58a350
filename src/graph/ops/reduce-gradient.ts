import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

/** Puts the axes that a reduction removed back with size 1. */
function restored(context: VjpContext, reduced: Value): Value {
  const { build: b, node, has, input, shape } = context;
  if (node.int('keepdims', 1) !== 0) return reduced;
  const constant = has(1) ? context.numbers(1) : node.ints('axes');
  if (has(1) && !constant) return b.op('Unsqueeze', [reduced, input(1)]);
  if (constant && constant.length > 0) return b.unsqueeze(reduced, constant);
  // One number broadcasts to any rank.
  if (node.int('noop_with_empty_axes', 0) !== 0 || !input(0).shape) return reduced;
  return b.reshape(
    reduced,
    shape(0).map(() => 1),
  );
}

/** Gradient by x of a reduction, given dy/dx as an expression of x and y, both of the rank of x. */
const reduction =
  (apply: (b: Builder, g: Value, x: Value, y: Value, context: VjpContext) => Value): Vjp =>
  context => {
    const { build: b, gradient: g, input, output } = context;
    const byInput = apply(b, restored(context, g), input(0), restored(context, output(0)), context);
    return [b.expandLike(byInput, input(0))];
  };

/** The extremal elements share the gradient. */
const extremum = reduction((b, g, x, y) => {
  const winners = b.indicator(b.binary('Equal', x, y), x.dtype);
  const axes = reducedAxes(x, y);
  const count = axes ? b.sum(winners, axes, true) : b.reduceLike(winners, y);
  return b.mul(winners, b.div(g, count));
});

function reducedAxes(x: Value, y: Value): number[] | undefined {
  const [from, to] = [x.shape, y.shape];
  if (!from || !to || to.some(dim => dim === null)) return undefined;
  return from.flatMap((_, i) => (to[i] === 1 ? [i] : []));
}

/** y/x, done right where one factor is zero: the product of the others; with two zeros nothing depends on any. */
const product = reduction((b, g, x, y, { node }) => {
  const zero = b.binary('Equal', x, 0);
  const zeros = b.reduceLike(b.indicator(zero, x.dtype), y);
  // The axes of the node itself: they need not be known before it runs.
  const attributes = { ...Object.fromEntries(node.attributes), keepdims: 1 };
  const others = b.op('ReduceProd', [b.where(zero, 1, x), ...node.inputs.slice(1)], attributes);
  const alone = b.where(b.binary('Equal', zeros, 1), others, 0);
  return b.mul(g, b.where(zero, alone, b.div(y, b.where(zero, 1, x))));
});

/** The reverse running sum of a running sum. */
const cumSum: Vjp = ({ build: b, gradient: g, node, input }) => [
  b.op('CumSum', [g, input(1)], {
    exclusive: node.int('exclusive', 0),
    reverse: node.int('reverse', 0) === 0,
  }),
];

/** Back to where the values were taken from. */
const topK: Vjp = ({ build: b, gradient: g, node, input, output }) => [
  b.op('ScatterElements', [b.zerosLike(input(0)), output(1), g], { axis: node.int('axis', -1) }),
];

export const reductionGradients: Gradients = {
  ReduceSum: reduction((_, g) => g),
  ReduceMean: reduction((b, g, x, y) => b.div(g, b.countRatio(x, y))),
  ReduceL1: reduction((b, g, x) => b.mul(g, b.op('Sign', [x]))),
  // x/‖x‖, and 0 at the origin.
  ReduceL2: reduction((b, g, x, y) => b.mul(x, b.div(g, b.where(b.binary('Equal', y, 0), 1, y)))),
  ReduceLogSum: reduction((b, g, _, y) => b.mul(g, b.exp(b.neg(y)))),
  ReduceLogSumExp: reduction((b, g, x, y) => b.mul(g, b.exp(b.sub(x, y)))),
  ReduceSumSquare: reduction((b, g, x) => b.mul(x, b.mul(g, 2))),
  ReduceProd: product,
  ReduceMax: extremum,
  ReduceMin: extremum,
  ArgMax: () => [],
  ArgMin: () => [],
  TopK: topK,
  CumSum: cumSum,
};
