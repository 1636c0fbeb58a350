import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import { unary } from './elementwise-gradient.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

const sigmoid = (b: Builder, x: Value): Value => b.op('Sigmoid', [x]);

/** y·(1 − y), the derivative of the sigmoid. */
const sigmoidSlope = (b: Builder, y: Value): Value => b.mul(y, b.sub(1, y));

/** `above` where x > 0, `below` elsewhere. */
const piecewise = (b: Builder, x: Value, above: number, below: Value | number): Value =>
  b.where(b.binary('Greater', x, 0), above, below);

/** 1 where 0 < y < 1, else 0: where a hard sigmoid is not saturated. */
const unsaturated = (b: Builder, y: Value): Value =>
  b.indicator(b.op('And', [b.binary('Greater', y, 0), b.binary('Less', y, 1)]), y.dtype);

/** (v + 1)/2 of −1 ≤ v ≤ 1: a hard sigmoid, one pass where there were two. ONNX Runtime has it for float32. */
const halfway = (b: Builder, v: Value): Value =>
  v.dtype === 'float32' ? b.op('HardSigmoid', [v], { alpha: 0.5, beta: 0.5 }) : b.add(b.mul(v, 0.5), 0.5);

/** Φ(x) + x·φ(x), the derivative of x·Φ(x). */
export function geluSlope(b: Builder, x: Value): Value {
  const cdf = halfway(b, b.op('Erf', [b.mul(x, Math.SQRT1_2)]));
  const density = b.mul(b.exp(b.mul(b.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return b.add(cdf, b.mul(x, density));
}

/**
 * Derivative of x/2·(1 + tanh u), u = √(2/π)·(x + 0.044715·x³), read as x·σ(2u): s + s·(1 − s)·x·(2u)′, which takes
 * fewer passes than with the tangent.
 */
export function tanhGeluSlope(b: Builder, x: Value): Value {
  const linear = 2 * Math.sqrt(2 / Math.PI);
  const squared = b.square(x);
  const inner = b.mul(x, b.add(b.mul(squared, 0.044715 * linear), linear));
  const s = sigmoid(b, inner);
  const slope = b.add(b.mul(squared, 3 * 0.044715 * linear), linear);
  return b.add(s, b.mul(b.sub(s, b.square(s)), b.mul(x, slope)));
}

/** Derivative of x·σ(a·x): s + a·x·s·(1 − s). */
export function swishSlope(b: Builder, x: Value, alpha: number): Value {
  const s = sigmoid(b, b.mul(x, alpha));
  return b.add(s, b.mul(b.mul(x, alpha), sigmoidSlope(b, s)));
}

/** Derivative of x·tanh(softplus x). */
function mishSlope(b: Builder, x: Value): Value {
  const t = b.op('Tanh', [b.op('Softplus', [x])]);
  return b.add(t, b.mul(b.mul(x, sigmoid(b, x)), b.sub(1, b.square(t))));
}

const prelu: Vjp = ({ build: b, gradient: g, input, needs }) => {
  const [x, slope] = [input(0), input(1)];
  const positive = b.binary('Greater', x, 0);
  return [
    b.where(positive, g, b.mul(g, slope)),
    needs(1) ? b.reduceLike(b.where(positive, 0, b.mul(g, x)), slope) : null,
  ];
};

const axisOf = ({ node, shape }: VjpContext): number => {
  const axis = node.int('axis', -1);
  return axis < 0 ? axis + shape(0).length : axis;
};

/** y·(g − Σ g·y) */
const softmax: Vjp = context => {
  const { build: b, gradient: g, output } = context;
  const y = output(0);
  const weighted = b.mul(g, y);
  return [b.sub(weighted, b.mul(y, b.sum(weighted, [axisOf(context)], true)))];
};

/** g − softmax·Σ g */
const logSoftmax: Vjp = context => {
  const { build: b, gradient: g, output } = context;
  return [b.sub(g, b.mul(b.exp(output(0)), b.sum(g, [axisOf(context)], true)))];
};

/** The kept elements, scaled as they were; all of them outside of training. */
const dropout: Vjp = ({ build: b, gradient: g, has, input, output, numbers }) => {
  if (!has(2) || numbers(2)?.[0] === 0) return [g];
  const ratio = has(1) ? b.cast(input(1), g.dtype ?? 'float32') : 0.5;
  const scaled = b.div(g, typeof ratio === 'number' ? 1 - ratio : b.sub(1, ratio));
  const kept = b.where(output(1), scaled, 0);
  if (numbers(2)?.[0] === 1) return [kept];
  return [b.where(input(2), kept, g)];
};

export const activationGradients: Gradients = {
  Relu: ({ build: b, gradient: g, output }) => [b.mul(g, b.step(output(0)))],
  LeakyRelu: ({ build: b, gradient: g, input, node }) => [
    b.where(b.binary('Greater', input(0), 0), g, b.mul(g, node.float('alpha', 0.01))),
  ],
  ThresholdedRelu: ({ build: b, gradient: g, input, node }) => [
    b.where(b.binary('Greater', input(0), node.float('alpha', 1)), g, 0),
  ],
  // Zero between −λ and λ, the identity shifted by the bias elsewhere.
  Shrink: ({ build: b, gradient: g, input, node }) => [
    b.where(b.binary('Greater', b.op('Abs', [input(0)]), node.float('lambd', 0.5)), g, 0),
  ],
  Elu: unary((b, x, y, { node }) => piecewise(b, x, 1, b.add(y, node.float('alpha', 1)))),
  Selu: unary((b, x, y, { node }) => {
    const gamma = node.float('gamma', 1.0507009873554805);
    return piecewise(b, x, gamma, b.add(y, gamma * node.float('alpha', 1.6732632423543772)));
  }),
  Celu: unary((b, x, y, { node }) => piecewise(b, x, 1, b.add(b.div(y, node.float('alpha', 1)), 1))),
  Sigmoid: unary((b, _, y) => sigmoidSlope(b, y)),
  HardSigmoid: unary((b, _, y, { node }) => b.mul(unsaturated(b, y), node.float('alpha', 0.2))),
  HardSwish: unary((b, x) => {
    const gate = b.op('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 });
    return b.add(gate, b.mul(b.mul(x, 1 / 6), unsaturated(b, gate)));
  }),
  Swish: unary((b, x, _, { node }) => swishSlope(b, x, node.float('alpha', 1))),
  Tanh: unary((b, _, y) => b.sub(1, b.square(y))),
  Softplus: unary((b, x) => sigmoid(b, x)),
  Softsign: unary((b, x) => b.op('Reciprocal', [b.square(b.add(b.op('Abs', [x]), 1))])),
  Mish: unary((b, x) => mishSlope(b, x)),
  Gelu: unary((b, x, _, { node }) =>
    node.string('approximate', 'none') === 'tanh' ? tanhGeluSlope(b, x) : geluSlope(b, x),
  ),
  PRelu: prelu,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  Hardmax: () => [],
  Dropout: dropout,
};
