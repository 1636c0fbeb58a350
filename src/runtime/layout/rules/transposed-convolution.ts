import type { Value } from '../../../graph/value.js';
import { imageDims, type Layout } from '../layout.js';
import type { ImageDims } from '../operators.js';
import type { Rule } from './rule.js';
import { windowOf } from './window.js';

/**
 * ConvTranspose with strides, as input gradients are: a convolution that computes each of the s×s phases of the result
 * as channels of its own, which then move to their places (Shi et al., 2016, https://arxiv.org/abs/1609.05158).
 */
export const transposedConvolution: Rule = (node, layout) => {
  const [g, w, bias] = node.inputs;
  const [from, to, filter] = [imageDims(g), imageDims(node.output), imageDims(w)];
  if (!from || !to || !filter || bias || node.int('group', 1) !== 1) return false;
  const window = windowOf(node, filter.slice(2));
  if (!window || window.dilations.some(d => d !== 1)) return false;
  const axes = [0, 1].map(axis =>
    phasesOf(window.kernel[axis]!, window.strides[axis]!, window.pads[axis]!, from[axis + 2]!, to[axis + 2]!),
  );
  const [rows, columns] = axes;
  if (!rows || !columns) return false;
  const { ops, b, block } = layout;
  const [n, c, height, width] = to;
  const channels = ops.padded(c);
  const phases = rows.taps.length * columns.taps.length;
  const filters = phaseFilter(layout, w!, filter, rows, columns);
  const [h, v] = [height / rows.taps.length, width / columns.taps.length];
  const parts = ops.conv(layout.blocked(g!).value, filters, [n, phases * channels, h, v], {
    kernel: [rows.kernel, columns.kernel],
    pads: [rows.head, columns.head, rows.tail, columns.tail],
  });
  const [r, s] = [rows.taps.length, columns.taps.length];
  const split = b.reshape(parts, [n, r, s, channels / block, h, v, block]);
  const placed = b.transpose(split, [0, 3, 4, 1, 5, 2, 6]); // (N, C/b, h, r, w, s, b)
  layout.define(node.output, { value: b.reshape(placed, [n, channels, height, width]), dims: to });
  return true;
};

/** Along one axis: which tap of the kernel each phase of the result meets at each place of a small window. */
interface Phases {
  /** Size of the window over g. */
  readonly kernel: number;
  readonly head: number;
  readonly tail: number;
  /** One list for each phase; −1 where there is no tap. */
  readonly taps: readonly (readonly number[])[];
}

/**
 * The element i = s·q + r of the result sums g[q + d]·w[t] over the taps t ≡ r + p (mod s), where p is the pad and
 * d = (r + p − t)/s.
 */
function phasesOf(kernel: number, stride: number, pad: number, from: number, to: number): Phases | undefined {
  if (to % stride !== 0) return undefined;
  const offsets = Array.from({ length: stride }, (_, r) =>
    Array.from({ length: kernel }, (_, t) => ({ t, d: (r + pad - t) / stride })).filter(({ d }) =>
      Number.isInteger(d),
    ),
  );
  const all = offsets.flat().map(({ d }) => d);
  const [first, last] = [Math.min(...all), Math.max(...all)];
  const size = last - first + 1;
  const tail = to / stride - 1 + last + 1 - from;
  if (first > 0 || tail < 0) return undefined;
  const taps = offsets.map(list =>
    Array.from({ length: size }, (_, u) => list.find(({ d }) => d === u + first)?.t ?? -1),
  );
  return { kernel: size, head: -first, tail, taps };
}

/** (M, C, h, w) → blocked (phases · padded C, padded M, …), zeros where a phase has no tap. */
function phaseFilter(
  { b, block }: Layout,
  w: Value,
  [m, c, height, width]: ImageDims,
  rows: Phases,
  columns: Phases,
): Value {
  const [mb, cb] = [Math.ceil(m / block), Math.ceil(c / block)];
  const taps = height * width;
  // One more tap, of zeros, for where there is none.
  const flat = b.pad(b.reshape(w, [m, c, taps]), [0, 0, 0, mb * block - m, cb * block - c, 1]);
  const chosen = rows.taps.flatMap(ofRow =>
    columns.taps.flatMap(ofColumn =>
      ofRow.flatMap(i => ofColumn.map(j => (i < 0 || j < 0 ? taps : i * width + j))),
    ),
  );
  const phases = rows.taps.length * columns.taps.length;
  const size = rows.kernel * columns.kernel;
  const gathered = b.op('Gather', [flat, b.ints(chosen)], { axis: 2 });
  const split = b.reshape(gathered, [mb, block, cb, block, phases, size]);
  const ordered = b.transpose(split, [4, 2, 0, 5, 1, 3]); // (phases, C/b, M/b, size, b of M, b of C)
  return b.reshape(ordered, [phases * cb * block, mb * block, rows.kernel, columns.kernel]);
}
