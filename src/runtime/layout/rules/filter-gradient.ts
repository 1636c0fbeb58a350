import { Graph } from '../../../graph/graph.js';
import type { Node } from '../../../graph/node.js';
import type { Value } from '../../../graph/value.js';
import { imageDims, type Layout } from '../layout.js';
import type { ImageDims } from '../operators.js';
import type { Rule } from './rule.js';
import { type Window, windowOf } from './window.js';

/**
 * Gradient by a convolution's filter, Σ over images of g·unfold(x)ᵀ, as autodiff writes it: a convolution of x with g
 * as its filter, each image a group of its own. So that blocked g can be that filter, the channels of x become rows of
 * pixels, (C/b, N, H, W·b): then a tap of the filter's width is b pixels wide.
 */
export const filterGradient: Rule = (node, layout) => {
  const match = matchGradient(node);
  if (!match) return false;
  const { x, g, window, sizes } = match;
  const [from, to] = [imageDims(x), imageDims(g)];
  if (!from || !to || window.dilations.some(d => d !== 1)) return false;
  const { block } = layout;
  const batch = from[0];
  // Images are the operator's channels here.
  if (batch > block && batch % block !== 0) return false;
  const direct = from[1] < block && !layout.has(x);
  const partial = direct ? standardImages(layout, x, from, g, window) : blockedImages(layout, x, g, window);
  layout.replace(node.output, layout.b.reshape(partial, sizes));
  return true;
};

interface Match {
  readonly x: Value;
  readonly g: Value;
  readonly window: Window;
  readonly sizes: readonly number[];
}

/** Reshape(ReduceSum(g · unfold(x)ᵀ, over images)) */
function matchGradient(node: Node): Match | undefined {
  const sizes = node.output.fixedShape;
  const sum = producer(node.inputs[0], 'ReduceSum');
  const product = producer(sum?.inputs[0], 'MatMul');
  const left = producer(product?.inputs[0], 'Reshape');
  const turned = producer(product?.inputs[1], 'Transpose');
  const right = producer(turned?.inputs[0], 'Reshape');
  const [g, columns] = [left?.inputs[0], right?.inputs[0]];
  if (sizes?.length !== 4 || !sum || !g || !columns) return undefined;
  if (Graph.constantOf(sum.inputs[1])?.toNumbers().join() !== '0') return undefined;
  if (turned!.ints('perm', []).join() !== '0,2,1' || right!.output.shape?.length !== 3) return undefined;
  const [places, filters] = [g.fixedShape, sizes[0]];
  if (places?.length !== 4 || places[1] !== filters) return undefined;
  const unfolded = unfoldOf(columns, sizes as unknown as ImageDims);
  return unfolded && { ...unfolded, g, sizes };
}

/** What was unfolded, and over which window. */
function unfoldOf(columns: Value, [, c, h, w]: ImageDims): { x: Value; window: Window } | undefined {
  const node = columns.producer;
  const kernel: [number, number] = [h, w];
  if (node && isOneHot(node, c, h * w)) {
    const window = windowOf(node, kernel);
    return window && { x: node.inputs[0]!, window };
  }
  if (h * w !== 1 || columns.fixedShape?.[1] !== c) return undefined;
  const strides = node && sliceStrides(node);
  const plain: Window = { kernel, strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] };
  return strides ? { x: node.inputs[0]!, window: { ...plain, strides } } : { x: columns, window: plain };
}

/** A depthwise convolution whose filters each pick one tap. */
function isOneHot(node: Node, channels: number, taps: number): boolean {
  if (node.opType !== 'Conv' || node.domain !== '' || node.int('group', 1) !== channels) return false;
  const filter = Graph.constantOf(node.inputs[1]);
  if (!filter || filter.dims[0] !== channels * taps || filter.dims[1] !== 1) return false;
  const values = filter.toFloat32();
  return values.every((v, i) => v === (Math.floor(i / taps) % taps === i % taps ? 1 : 0));
}

/** Strides of a Slice of whole images. */
function sliceStrides(node: Node): [number, number] | undefined {
  if (node.opType !== 'Slice' || node.inputs.length !== 5) return undefined;
  const [starts, ends, axes, steps] = node.inputs.slice(1).map(v => Graph.constantOf(v)?.toNumbers());
  if (!starts?.every(s => s === 0) || !steps?.every(s => s > 0) || !ends || !axes) return undefined;
  const sizes = node.inputs[0]?.fixedShape;
  const strides: [number, number] = [1, 1];
  for (const [i, axis] of axes.entries()) {
    if (axis < 2 || axis > 3 || !sizes || ends[i]! < sizes[axis]!) return undefined;
    strides[axis - 2] = steps[i]!;
  }
  return strides;
}

const producer = (value: Value | null | undefined, opType: string): Node | undefined =>
  value?.producer?.opType === opType && value.producer.domain === '' ? value.producer : undefined;

/** Rows or columns that are missing below the last place of the window; negative where some are left over. */
const missing = (window: Window, axis: 0 | 1, from: ImageDims, to: ImageDims): number =>
  (to[axis + 2]! - 1) * window.strides[axis] + window.kernel[axis] - from[axis + 2]! - window.pads[axis];

/** x in blocked order: (C/b, N, H, W·b) convolved with (N·M, 1, h, w). */
function blockedImages(layout: Layout, x: Value, g: Value, given: Window): Value {
  const { b, ops, block } = layout;
  let [image, window] = [layout.blocked(x), given];
  const gradient = layout.blocked(g);
  const to = gradient.dims;
  if (window.kernel.every(k => k === 1) && window.strides.some(s => s > 1)) {
    image = layout.resampled(image, { strides: window.strides, pads: [0, 0, 0, 0] });
    window = { ...window, strides: [1, 1] };
  }
  const [m, cb] = [ops.padded(to[1]), ops.padded(image.dims[1]) / block];
  const [below, beyond] = [missing(window, 0, image.dims, to), missing(window, 1, image.dims, to)];
  const [top, leftPad] = window.pads;
  // Padding on the sides beforehand keeps the operator on its fast path.
  if (leftPad > 0 || beyond > 0) {
    image = layout.resampled(image, { strides: [1, 1], pads: [0, leftPad, 0, Math.max(0, beyond)] });
  }
  const [n, , height, width] = image.dims;
  const rows = b.reshape(image.value, [n, cb, height, width * block]);
  const swapped = cb === 1 ? b.reshape(rows, [1, n, height, width * block]) : b.transpose(rows, [1, 0, 2, 3]);
  const [h, w] = [window.kernel[0] + Math.max(0, -below), window.kernel[1] + Math.max(0, -beyond)];
  const shared = imagesTogether(layout, n, m / block, (cb * block * h * w) / (to[2] * to[3]));
  const groups = n / shared;
  let filter = gradient.value;
  if (shared > 1 && m > block) {
    const images = b.reshape(filter, [groups, shared, m / block, to[2] * to[3] * block]);
    filter = b.transpose(images, [0, 2, 1, 3]);
  }
  const parts = ops.conv(
    swapped,
    b.reshape(filter, [groups * m, shared, to[2], to[3]]),
    [cb, groups * m, h, w * block],
    {
      kernel: [to[2], to[3]],
      dilations: [window.strides[0], window.strides[1] * block],
      pads: [top, 0, Math.max(0, below), 0],
      group: groups,
    },
  );
  const sum = b.sum(b.reshape(parts, [cb, groups, m * h * w * block]), [1]);
  const split = b.reshape(sum, [cb, m / block, h, w, block, block]); // …, b of C, b of M
  const ordered = b.transpose(split, [1, 5, 0, 4, 2, 3]);
  return cropped(layout, b.reshape(ordered, [m, cb * block, h, w]), [
    to[1],
    x.fixedShape![1]!,
    ...window.kernel,
  ]);
}

/**
 * How many images the operator sums within a group. Each group writes a gradient of its own, to be summed afterwards;
 * `share` is its size in proportion to the image's. With several blocks of channels g must be reordered first, which
 * only large gradients are worth.
 */
function imagesTogether({ block }: Layout, images: number, blocks: number, share: number): number {
  if (blocks > 1 && share < 4) return 1;
  for (let count = block / 2; count > 1; count /= 2) if (images % count === 0) return count;
  return 1;
}

/** x in standard order, of few channels: (C, N, H, W) convolved with (N·M, 1, h, w). */
function standardImages(layout: Layout, x: Value, from: ImageDims, g: Value, window: Window): Value {
  const { b, ops, block } = layout;
  const gradient = layout.blocked(g);
  const to = gradient.dims;
  const [n, c] = from;
  const m = ops.padded(to[1]);
  const [below, beyond] = [missing(window, 0, from, to), missing(window, 1, from, to)];
  const [top, leftPad] = window.pads;
  const swapped = b.pad(b.transpose(x, [1, 0, 2, 3]), [0, 0, 0, leftPad, 0, 0, 0, Math.max(0, beyond)]);
  const [h, w] = [window.kernel[0] + Math.max(0, -below), window.kernel[1] + Math.max(0, -beyond)];
  const parts = ops.conv(swapped, b.reshape(gradient.value, [n * m, 1, to[2], to[3]]), [c, n * m, h, w], {
    kernel: [to[2], to[3]],
    dilations: window.strides,
    pads: [top, 0, Math.max(0, below), 0],
    group: n,
  });
  const sum = b.sum(b.reshape(parts, [c, n, m * h * w]), [1]);
  const split = b.reshape(sum, [c, m / block, h * w, block]);
  const ordered = b.reshape(b.transpose(split, [1, 3, 0, 2]), [m, c, h, w]);
  return cropped(layout, ordered, [to[1], c, ...window.kernel]);
}

/** The first `sizes` of each axis. */
function cropped({ b }: Layout, x: Value, sizes: readonly number[]): Value {
  const axes = sizes.flatMap((size, axis) => (x.fixedShape![axis] === size ? [] : [axis]));
  if (axes.length === 0) return x;
  return b.slice(
    x,
    axes.map(() => 0),
    axes.map(axis => sizes[axis]!),
    axes,
  );
}
