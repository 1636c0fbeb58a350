import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { VjpContext } from './vjp.js';

/** A sliding window with all of its pads as numbers; one entry for each spatial axis. */
export interface FixedWindow {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly head: readonly number[];
  readonly tail: readonly number[];
}

const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);

/** Span of a dilated kernel: d·(k − 1) + 1. */
export const span = (w: FixedWindow, axis: number): number => w.dilations[axis]! * (w.kernel[axis]! - 1) + 1;

const listOf = ({ node }: VjpContext, name: string, length: number, fallback: number): number[] => {
  const given = node.ints(name, []);
  return given.length > 0 ? given : new Array<number>(length).fill(fallback);
};

export const stepsOf = (context: VjpContext, rank: number): Pick<FixedWindow, 'strides' | 'dilations'> => ({
  strides: listOf(context, 'strides', rank, 1),
  dilations: listOf(context, 'dilations', rank, 1),
});

/** The window of a convolution or pool over the input `x`. @throws where `auto_pad` needs a size that is not known */
export function fixedWindow(context: VjpContext, kernel: readonly number[], x: Value): FixedWindow {
  const { node, fail } = context;
  const rank = kernel.length;
  const { strides, dilations } = stepsOf(context, rank);
  const autoPad = node.string('auto_pad', 'NOTSET');
  if (!autoPad.startsWith('SAME')) {
    const pads =
      autoPad === 'VALID' ? new Array<number>(2 * rank).fill(0) : listOf(context, 'pads', 2 * rank, 0);
    return { kernel, strides, dilations, head: pads.slice(0, rank), tail: pads.slice(rank) };
  }
  const totals = kernel.map((k, axis) => {
    const size = x.shape?.[axis + 2];
    const reach = dilations[axis]! * (k - 1) + 1;
    if (strides[axis] === 1) return reach - 1;
    if (typeof size !== 'number') return fail(`auto_pad ${autoPad} with strides needs the size of its input`);
    return Math.max(0, (Math.ceil(size / strides[axis]!) - 1) * strides[axis]! + reach - size);
  });
  const less = totals.map(total => Math.floor(total / 2));
  const more = totals.map((total, i) => total - less[i]!);
  return autoPad === 'SAME_UPPER'
    ? { kernel, strides, dilations, head: less, tail: more }
    : { kernel, strides, dilations, head: more, tail: less };
}

/** Attributes of a Conv or ConvTranspose over that window. */
export const windowAttributes = (w: FixedWindow, group = 1): Record<string, number | number[]> => ({
  kernel_shape: [...w.kernel],
  strides: [...w.strides],
  dilations: [...w.dilations],
  pads: [...w.head, ...w.tail],
  group,
});

/**
 * Spreads g, one entry for each place of the window, over an input like `x`: the transpose of a convolution with w
 * (M, C/group, …kernel).
 */
export function spread(b: Builder, g: Value, w: Value, window: FixedWindow, group: number, x: Value): Value {
  const places = g.shape!.slice(2);
  const sizes = x.shape!.slice(2);
  if ([...places, ...sizes].every(size => typeof size === 'number')) {
    // Input behind the last place of the window gets zeros.
    const tail = window.kernel.map(
      (_, i) =>
        ((places[i] as number) - 1) * window.strides[i]! +
        span(window, i) -
        window.head[i]! -
        (sizes[i] as number),
    );
    const attributes = windowAttributes({ ...window, tail: tail.map(t => Math.max(0, t)) }, group);
    return b.op('ConvTranspose', [g, w], { ...attributes, output_padding: tail.map(t => Math.max(0, -t)) });
  }
  const none = window.kernel.map(() => 0);
  const full = b.op('ConvTranspose', [g, w], windowAttributes({ ...window, head: none, tail: none }, group));
  const rank = places.length + 2;
  const spatial = (v: Value): Value => b.op('Slice', [b.op('Shape', [v]), b.ints([2]), b.ints([rank])]);
  const missing = b.sub(b.add(spatial(x), b.ints(window.head)), spatial(full));
  return b.pad(full, b.concat([b.ints([0, 0, ...window.head.map(h => -h), 0, 0]), missing], 0));
}

/** (N, C, …) as (N, …parts of C, L). */
export function flattenSpatial(b: Builder, x: Value, channels: readonly number[]): Value {
  const spatial = x.shape!.slice(2);
  const length = spatial.every(d => typeof d === 'number') ? product(spatial) : -1;
  return b.reshape(x, b.shapeFrom([b.sizesOf(x)[0]!, ...channels, length]));
}

/** (N, C, …) as (N·C, 1, …), or as (1, N·C, …). */
export function mergeChannels(b: Builder, x: Value, order: 'batch' | 'channels' = 'batch'): Value {
  const fixed = x.fixedShape;
  const merged = fixed ? fixed[0]! * fixed[1]! : -1;
  const spatial = b.sizesOf(x).slice(2);
  return b.reshape(x, b.shapeFrom(order === 'batch' ? [merged, 1, ...spatial] : [1, merged, ...spatial]));
}
