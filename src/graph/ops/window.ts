import { addDims, ceilDiv, floorDiv } from '../dims.js';
import type { Dim } from '../value.js';
import type { InferContext } from './definition.js';

/** Geometry of a sliding window (convolution, pooling), one entry for each spatial axis. */
export interface Window {
  readonly kernel: readonly Dim[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begins, then ends; `undefined` where `auto_pad` sets them from the size. */
  readonly pads: readonly number[] | undefined;
  readonly autoPad: string;
}

/** Reads the attributes that convolutions and pools share. @throws by `context.fail` where lengths disagree */
export function readWindow(context: InferContext, kernel: readonly Dim[]): Window {
  const rank = kernel.length;
  const list = (name: string, length: number, fallback: number): number[] => {
    const given = context.node.ints(name);
    if (given && given.length > 0 && given.length !== length) {
      context.fail(`attribute "${name}" has ${given.length} entries for ${rank} spatial axes`);
    }
    return given && given.length > 0 ? given : new Array<number>(length).fill(fallback);
  };
  const autoPad = context.node.string('auto_pad', 'NOTSET');
  const strides = list('strides', rank, 1);
  if (strides.some(s => s < 1)) context.fail('strides must be positive');
  return {
    kernel,
    strides,
    dilations: list('dilations', rank, 1),
    pads: autoPad.startsWith('SAME')
      ? undefined
      : autoPad === 'VALID'
        ? new Array<number>(2 * rank).fill(0)
        : list('pads', 2 * rank, 0),
    autoPad,
  };
}

/** Extent of a dilated kernel: d·(k − 1) + 1. */
const extent = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

/**
 * Output size of a window sliding over one axis: ⌊(in + pads − extent)/stride⌋ + 1; with `ceil` rounded up, but no
 * window starts beyond the input and its left padding.
 */
export function windowedDim(
  context: InferContext,
  window: Window,
  axis: number,
  input: Dim,
  ceil = false,
): Dim {
  const stride = window.strides[axis]!;
  if (!window.pads) return ceilDiv(input, stride);
  const kernel = window.kernel[axis]!;
  if (typeof kernel !== 'number') return null;
  const size = extent(kernel, window.dilations[axis]!);
  const head = window.pads[axis]!;
  const tail = window.pads[axis + window.kernel.length]!;
  const free = addDims(input, head + tail - size);
  if (!ceil) return checked(context, addDims(floorDiv(free, stride), 1), input, size);
  const windows = addDims(ceilDiv(free, stride), 1);
  // The last window can start outside only where the padding behind is that large.
  if (tail <= size - stride) return checked(context, windows, input, size);
  if (typeof windows !== 'number' || typeof input !== 'number') return null;
  return checked(context, (windows - 1) * stride >= input + head ? windows - 1 : windows, input, size);
}

function checked(context: InferContext, output: Dim, input: Dim, size: number): Dim {
  if (typeof output === 'number' && output < 0) {
    context.fail(`a window of ${size} does not fit into an axis of ${input}`);
  }
  return output;
}
