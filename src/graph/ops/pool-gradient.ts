import { Tensor } from '../tensor.js';
import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';
import {
  type FixedWindow,
  fixedWindow,
  mergeChannels,
  span,
  spread,
  windowAttributes,
} from './window-gradient.js';

/** To the element that was the largest of each window; the operator gives its place in the whole tensor. */
const maxPool: Vjp = ({ build: b, gradient: g, node, input, output, fail }) => {
  if (node.int('storage_order', 0) !== 0) fail('column-major indices are not supported');
  const x = input(0);
  const flat = (v: Value): Value =>
    b.reshape(v, [v.fixedShape ? v.fixedShape.reduce((p, d) => p * d, 1) : -1]);
  const size = x.fixedShape
    ? b.ints([x.fixedShape.reduce((p, d) => p * d, 1)])
    : b.unsqueeze(b.op('Size', [x]), [0]);
  const sum = b.op('ScatterElements', [b.fill(size, 0, x), flat(output(1)), flat(g)], {
    axis: 0,
    reduction: 'add',
  });
  return [b.reshapeLike(sum, x)];
};

/** The window of a pool, and a filter that sums over it. */
function summing(context: VjpContext): { window: FixedWindow; ones: Value; taps: number } {
  const { build: b, node, input } = context;
  const x = input(0);
  const window = fixedWindow(context, node.ints('kernel_shape', []), x);
  const taps = window.kernel.reduce((p, k) => p * k, 1);
  const ones = b.constant(
    Tensor.fromNumbers(x.dtype ?? 'float32', [1, 1, ...window.kernel], new Float32Array(taps).fill(1)),
    `ones ${x.dtype} ${window.kernel}`,
  );
  return { window, ones, taps };
}

/** Spreads each output over its window, divided by as many elements as the operator divided by. */
const averagePool: Vjp = context => {
  const { build: b, gradient: g, node, input } = context;
  const x = input(0);
  const { window, ones, taps } = summing(context);
  const padded = [...window.head, ...window.tail].some(p => p > 0) || node.int('ceil_mode', 0) !== 0;
  const share = padded ? b.mul(g, reciprocalCounts(context, window, ones)) : b.mul(g, 1 / taps);
  // Channels are images of their own: one filter serves them all.
  const rows = mergeChannels(b, x);
  return [b.reshapeLike(spread(b, mergeChannels(b, share), ones, window, 1, rows), x)];
};

/** One over what each window was divided by: the average of ones, over the number of ones in reach. */
function reciprocalCounts(
  { build: b, node, input, gradient }: VjpContext,
  window: FixedWindow,
  ones: Value,
): Value {
  const x = input(0);
  const image = b.fill(b.shapeFrom([1, 1, ...b.sizesOf(x).slice(2)]), 1, x);
  const attributes = Object.fromEntries(node.attributes);
  const average = b.op('AveragePool', [image], attributes);
  // With ceil_mode the last window may reach further than the pads say.
  const tail = window.tail.map((t, i) => {
    const [size, places] = [x.shape![i + 2], gradient.shape?.[i + 2]];
    if (typeof size !== 'number' || typeof places !== 'number') return t;
    return Math.max(0, (places - 1) * window.strides[i]! + span(window, i) - window.head[i]! - size);
  });
  return b.div(average, b.op('Conv', [image, ones], windowAttributes({ ...window, tail })));
}

const spatialAxes = ({ shape }: VjpContext): number[] => shape(0).flatMap((_, i) => (i < 2 ? [] : [i]));

const globalAveragePool: Vjp = ({ build: b, gradient: g, input, output }) => [
  b.expandLike(b.div(g, b.countRatio(input(0), output(0))), input(0)),
];

const globalMaxPool: Vjp = context => {
  const { build: b, gradient: g, input, output } = context;
  const winners = b.indicator(b.binary('Equal', input(0), output(0)), g.dtype);
  return [b.mul(winners, b.div(g, b.sum(winners, spatialAxes(context), true)))];
};

/** y = (Σ |x|ᵖ)^(1/p): sign(x)·|x|^(p−1)·y^(1−p), summed over the windows that x lies in. */
const lpPool: Vjp = context => {
  const { build: b, gradient: g, node, input, output } = context;
  const x = input(0);
  const p = node.int('p', 2);
  const { window, ones } = summing(context);
  const rows = mergeChannels(b, x);
  const share = mergeChannels(b, lpShare(b, g, output(0), p));
  return [b.mul(b.reshapeLike(spread(b, share, ones, window, 1, rows), x), lpSlope(b, x, p))];
};

const globalLpPool: Vjp = ({ build: b, gradient: g, node, input, output }) => {
  const p = node.int('p', 2);
  return [b.mul(lpShare(b, g, output(0), p), lpSlope(b, input(0), p))];
};

/** g·y^(1−p); nothing where a window holds zeros only. */
function lpShare(b: Builder, g: Value, y: Value, p: number): Value {
  if (p === 1) return g;
  const zero = b.binary('Equal', y, 0);
  return b.where(zero, 0, b.div(g, b.pow(b.where(zero, 1, y), p - 1)));
}

/** sign(x)·|x|^(p−1). */
function lpSlope(b: Builder, x: Value, p: number): Value {
  if (p === 2) return x;
  const sign = b.op('Sign', [x]);
  return p === 1 ? sign : b.mul(sign, b.pow(b.op('Abs', [x]), p - 1));
}

export const poolingGradients: Gradients = {
  LpPool: lpPool,
  GlobalLpPool: globalLpPool,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
};
