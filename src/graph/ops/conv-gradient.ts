import { Tensor } from '../tensor.js';
import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';
import {
  type FixedWindow,
  fixedWindow,
  flattenSpatial,
  mergeChannels,
  span,
  spread,
  stepsOf,
  windowAttributes,
} from './window-gradient.js';

/** Sizes of a filter (M, C/group, …kernel). @throws where one is not known */
function filterSizes({ shape, fail }: VjpContext): readonly number[] {
  const sizes = shape(1);
  if (!sizes.every(dim => typeof dim === 'number')) fail('the sizes of its filter are not known');
  return sizes as readonly number[];
}

/** A filter (M, C/group, …) for the way back: (C, M/group, …). */
function transposedFilter(b: Builder, w: Value, sizes: readonly number[], group: number): Value {
  const [m, c, ...kernel] = sizes as [number, number, ...number[]];
  const spatial = kernel.map((_, i) => i);
  if (group === 1) return b.transpose(w, [1, 0, ...spatial.map(i => i + 2)]);
  if (m === group && c === 1) return w;
  const grouped = b.reshape(w, [group, m / group, c, ...kernel]);
  return b.reshape(b.transpose(grouped, [0, 2, 1, ...spatial.map(i => i + 3)]), [
    group * c,
    m / group,
    ...kernel,
  ]);
}

/**
 * Gradient by the input. With stride 1 a convolution with the flipped filter, which is faster than ConvTranspose;
 * otherwise that.
 */
function inputGradient(
  b: Builder,
  g: Value,
  w: Value,
  sizes: readonly number[],
  window: FixedWindow,
  group: number,
  x: Value,
): Value {
  const reach = window.kernel.map((_, i) => span(window, i) - 1);
  const head = reach.map((r, i) => r - window.head[i]!);
  const tail = reach.map((r, i) => r - window.tail[i]!);
  if (window.strides.some(s => s > 1) || [...head, ...tail].some(p => p < 0)) {
    return spread(b, g, w, window, group, x);
  }
  const flipped = b.reverse(
    w,
    window.kernel.flatMap((k, i) => (k > 1 ? [i + 2] : [])),
  );
  const filter = transposedFilter(b, flipped, sizes, group);
  return b.op('Conv', [g, filter], windowAttributes({ ...window, head, tail }, group));
}

/** Each tap of the kernel as a channel of its own: (N, C, …) → (N, C·taps, …places). */
function unfold(b: Builder, x: Value, window: FixedWindow, channels: number): Value {
  const taps = window.kernel.reduce((p, k) => p * k, 1);
  if (taps === 1 && [...window.head, ...window.tail].every(p => p === 0)) {
    const strided = window.strides.flatMap((s, i) => (s > 1 ? [i] : []));
    if (strided.length === 0) return x;
    return b.slice(
      x,
      strided.map(() => 0),
      strided.map(() => 2 ** 31),
      strided.map(i => i + 2),
      strided.map(i => window.strides[i]!),
    );
  }
  // A convolution with one-hot filters: on the CPU several times faster than slices put together.
  const dtype = x.dtype ?? 'float32';
  const oneHot = new Float32Array(channels * taps * taps);
  for (let i = 0; i < channels * taps; i++) oneHot[i * taps + (i % taps)] = 1;
  const filter = b.constant(
    Tensor.fromNumbers(dtype, [channels * taps, 1, ...window.kernel], oneHot),
    `one-hot ${dtype} ${channels} ${window.kernel}`,
  );
  return b.op('Conv', [x, filter], windowAttributes(window, channels));
}

/**
 * Gradient by a filter of shape `sizes` (M, C/group, …kernel) of a convolution of x (N, C, …), where g is (N, M, …).
 */
function filterGradient(
  b: Builder,
  x: Value,
  g: Value,
  sizes: readonly number[],
  window: FixedWindow,
  group: number,
): Value {
  const [m, c, ...kernel] = sizes as [number, number, ...number[]];
  const taps = kernel.reduce((p, k) => p * k, 1);
  if (c === 1 && m === group) return depthwiseFilterGradient(b, x, g, sizes, window);
  const columns = unfold(b, x, window, group * c);
  const groups = group === 1 ? [] : [group];
  const left = flattenSpatial(b, g, [...groups, m / group]); // (N, [G,] M/G, L)
  const right = flattenSpatial(b, columns, [...groups, c * taps]); // (N, [G,] C/G·taps, L)
  const axes = groups.length === 0 ? [0, 2, 1] : [0, 1, 3, 2];
  const products = b.matmul(left, b.transpose(right, axes)); // (N, [G,] M/G, C/G·taps)
  return b.reshape(b.sum(products, [0]), sizes);
}

/**
 * One filter for each channel: a convolution of every channel of x with the same channel of g as its filter, strides
 * and dilations exchanged.
 */
function depthwiseFilterGradient(
  b: Builder,
  x: Value,
  g: Value,
  sizes: readonly number[],
  window: FixedWindow,
): Value {
  const input = mergeChannels(b, x, 'channels');
  const filter = mergeChannels(b, g);
  const channels = sizes[0]!;
  const exchanged = { ...window, strides: window.dilations, dilations: window.strides };
  const places = g.shape!.slice(2);
  const merged = x.fixedShape ? x.fixedShape[0]! * channels : undefined;
  if (!merged || places.some(p => typeof p !== 'number')) {
    // The number of groups is an attribute and not 0, so images cannot be groups here: a product for each tap instead.
    const columns = flattenSpatial(b, unfold(b, x, window, channels), [
      channels,
      sizes.slice(2).reduce((p, k) => p * k, 1),
    ]);
    const row = flattenSpatial(b, g, [channels, 1]);
    return b.reshape(b.sum(b.matmul(row, b.transpose(columns, [0, 1, 3, 2])), [0]), sizes);
  }
  const all = b.op(
    'Conv',
    [input, filter],
    windowAttributes({ ...exchanged, kernel: places as number[] }, merged),
  );
  // Strides may leave room for more taps than there are.
  const taps = sizes.slice(2);
  const found = all.shape?.slice(2) ?? taps;
  const surplus = taps.flatMap((k, i) => (found[i] === k ? [] : [i]));
  const own =
    surplus.length === 0
      ? all
      : b.slice(
          all,
          surplus.map(() => 0),
          surplus.map(i => taps[i]!),
          surplus.map(i => i + 2),
        );
  return b.reshape(b.sum(b.reshape(own, [merged / channels, ...sizes]), [0]), sizes);
}

const biasGradient = (b: Builder, g: Value): Value =>
  b.sum(g, [0, ...g.shape!.slice(2).map((_, i) => i + 2)]);

const conv: Vjp = context => {
  const { build: b, gradient: g, node, has, input, needs } = context;
  const [x, w] = [input(0), input(1)];
  const sizes = filterSizes(context);
  const window = fixedWindow(context, sizes.slice(2), x);
  const group = node.int('group', 1);
  return [
    needs(0) ? inputGradient(b, g, w, sizes, window, group, x) : null,
    needs(1) ? filterGradient(b, x, g, sizes, window, group) : null,
    has(2) ? biasGradient(b, g) : null,
  ];
};

/** The pads that a ConvTranspose crops, also where it gives its output's size instead. */
function croppedWindow(context: VjpContext, kernel: readonly number[]): FixedWindow {
  const { node, input, output, fail } = context;
  const autoPad = node.string('auto_pad', 'NOTSET');
  const given = node.ints('output_shape', []).length > 0;
  if (!given && !autoPad.startsWith('SAME')) return fixedWindow(context, kernel, input(0));
  const none = kernel.map(() => 0);
  const plain: FixedWindow = { kernel, ...stepsOf(context, kernel.length), head: none, tail: none };
  const padding = node.ints('output_padding', []);
  const totals = kernel.map((_, i) => {
    const [from, to] = [input(0).shape?.[i + 2], output(0).shape?.[i + 2]];
    if (typeof from !== 'number' || typeof to !== 'number')
      return fail('its pads follow from sizes that are not known');
    return plain.strides[i]! * (from - 1) + span(plain, i) + (padding[i] ?? 0) - to;
  });
  const half = totals.map(t => Math.floor(t / 2));
  const rest = totals.map((t, i) => t - half[i]!);
  return autoPad === 'SAME_UPPER'
    ? { ...plain, head: half, tail: rest }
    : { ...plain, head: rest, tail: half };
}

const convTranspose: Vjp = context => {
  const { build: b, gradient: g, node, has, input } = context;
  const [x, w] = [input(0), input(1)];
  const sizes = filterSizes(context); // (C, M/group, …kernel): the filter of the convolution from y to x
  const window = croppedWindow(context, sizes.slice(2));
  const group = node.int('group', 1);
  return [
    b.op('Conv', [g, w], windowAttributes(window, group)),
    filterGradient(b, g, x, sizes, window, group),
    has(2) ? biasGradient(b, g) : null,
  ];
};

export const convolutionGradients: Gradients = { Conv: conv, ConvTranspose: convTranspose };
