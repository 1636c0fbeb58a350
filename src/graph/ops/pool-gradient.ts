import { Tensor } from '../tensor.js';
import type { Value } from '../value.js';
import type { Builder, Operand } from './builder.js';
import { positions } from './slice-gradient.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';
import { type FixedWindow, fixedWindow, mergeChannels, spread } from './window-gradient.js';

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
function summing(context: VjpContext): { window: FixedWindow; ones: Value } {
  const { build: b, node, input, fail } = context;
  const x = input(0);
  const window = fixedWindow(context, node.ints('kernel_shape', []), x);
  const autoPad = node.string('auto_pad', 'NOTSET');
  if (autoPad.startsWith('SAME') && window.kernel.some((k, i) => k < window.strides[i]!)) {
    fail(
      `auto_pad ${autoPad} with strides beyond the kernel places its windows differently in each runtime`,
      'Give pads',
    );
  }
  const taps = window.kernel.reduce((p, k) => p * k, 1);
  const ones = b.constant(
    Tensor.fromNumbers(x.dtype ?? 'float32', [1, 1, ...window.kernel], new Float32Array(taps).fill(1)),
    `ones ${x.dtype} ${window.kernel}`,
  );
  return { window, ones };
}

/** Spreads each output over its window, divided by as many elements as the operator divided by. */
const averagePool: Vjp = context => {
  const { build: b, gradient: g, input } = context;
  const x = input(0);
  const { window, ones } = summing(context);
  let count: Operand = 1;
  for (const axis of window.kernel.keys()) {
    const own = windowCounts(context, window, axis);
    count = typeof count === 'number' && typeof own === 'number' ? count * own : b.mul(count, own);
  }
  const share = typeof count === 'number' ? b.mul(g, 1 / count) : b.div(g, count);
  // Channels are images of their own: one filter serves them all.
  const rows = mergeChannels(b, x);
  return [b.reshapeLike(spread(b, mergeChannels(b, share), ones, window, 1, rows), x)];
};

/**
 * How many elements of one axis each place of the window counts: one number for all places, or a value of a size for
 * each, (places, 1, …). Padding counts with `count_include_pad`; what a rounded-up window reaches beyond it never does in
 * ONNX Runtime.
 */
function windowCounts(context: VjpContext, window: FixedWindow, axis: number): Operand {
  const { build: b, gradient: g, node, input } = context;
  const [kernel, stride, dilation] = [window.kernel[axis]!, window.strides[axis]!, window.dilations[axis]!];
  const [head, tail] = [window.head[axis]!, window.tail[axis]!];
  const roundsUp = node.int('ceil_mode', 0) !== 0;
  const includesPads = node.int('count_include_pad', 0) !== 0;
  if (!roundsUp && (includesPads || (head === 0 && tail === 0))) return kernel;
  const [low, beyond] = includesPads ? [-head, tail] : [0, 0];
  const [places, size] = [b.sizesOf(g)[axis + 2]!, b.sizesOf(input(0))[axis + 2]!];
  const offsets = Array.from({ length: kernel }, (_, tap) => tap * dilation);
  const later = window.kernel.flatMap((_, i) => (i > axis ? [i - axis] : []));
  if (typeof places === 'number' && typeof size === 'number') {
    const counts = Array.from({ length: places }, (_, place) => {
      const start = place * stride - head;
      return offsets.filter(o => start + o >= low && start + o < size + beyond).length;
    });
    if (counts.every(count => count === counts[0])) return counts[0] ?? 1;
    const shape = [places, ...later.map(() => 1)];
    return b.constant(Tensor.fromNumbers(input(0).dtype ?? 'float32', shape, counts));
  }
  const starts = b.sub(b.mul(positions(b, g, axis + 2), stride), head); // (places)
  const taps = b.add(b.unsqueeze(starts, [1]), b.ints(offsets)); // (places, kernel)
  const end = typeof size === 'number' ? b.scalar(size + beyond, 'int64') : b.add(size, beyond);
  const counted = b.op('And', [b.binary('Greater', taps, low - 1), b.binary('Less', taps, end)]);
  return b.unsqueeze(b.sum(b.indicator(counted, input(0).dtype), [1]), later);
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
