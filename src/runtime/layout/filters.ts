import { Graph } from '../../graph/graph.js';
import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';

/**
 * Filters in the orders that the blocked convolutions read. They are computed from the standard order when the graph
 * runs, since the filters of a training step change; next to the images they are small.
 */
export class Filters {
  private readonly b: Builder;
  private readonly block: number;
  private readonly known: Map<Value, Map<string, Value>> = new Map();

  constructor(b: Builder, block: number) {
    this.b = b;
    this.block = block;
  }

  /** (M, C, h, w) → (M/b, C/b, h, w, b of C, b of M), for blocked images; typed (padded M, padded C, h, w). */
  blocked(filter: Value): Value {
    return this.once(filter, 'blocked', () => {
      const original = turnedBack(filter);
      if (original) return this.turned(original.filter, original.flipped);
      const { b, block } = this;
      const [m, c, h, w] = filter.fixedShape!;
      const [mb, cb] = [Math.ceil(m! / block), Math.ceil(c! / block)];
      const padded = b.pad(filter, [0, 0, 0, 0, mb * block - m!, cb * block - c!, 0, 0]);
      const split = b.reshape(padded, [mb, block, cb, block, h! * w!]);
      return b.reshape(b.transpose(split, [0, 2, 4, 3, 1]), [mb * block, cb * block, h!, w!]);
    });
  }

  /** A filter for the way back, its channels exchanged and its taps reversed, from the blocked one for the way there. */
  private turned(filter: Value, flipped: boolean): Value {
    const { b, block } = this;
    const forward = this.blocked(filter);
    const [m, c, h, w] = forward.fixedShape!;
    const taps = h! * w!;
    let blocks = b.reshape(forward, [m! / block, c! / block, taps, block, block]);
    const reversed = b.ints(Array.from({ length: taps }, (_, i) => taps - 1 - i));
    if (flipped && taps > 1) blocks = b.op('Gather', [blocks, reversed], { axis: 2 });
    return b.reshape(b.transpose(blocks, [1, 0, 2, 4, 3]), [c!, m!, h!, w!]);
  }

  /** (M, C, h, w) → (M/b, C, h, w, b), for standard images of few channels, or C = 1 and a group for each channel. */
  outputBlocked(filter: Value): Value {
    return this.once(filter, 'output', () => {
      const { b, block } = this;
      const [m, c, h, w] = filter.fixedShape!;
      const mb = Math.ceil(m! / block);
      const padded = b.pad(filter, [0, 0, 0, 0, mb * block - m!, 0, 0, 0]);
      const split = b.reshape(padded, [mb, block, c! * h! * w!]);
      return b.reshape(b.transpose(split, [0, 2, 1]), [mb * block, c!, h!, w!]);
    });
  }

  /** A vector of one number for each output channel, as long as the padded channels. */
  bias(bias: Value): Value {
    const [m] = bias.fixedShape!;
    const length = Math.ceil(m! / this.block) * this.block;
    return this.once(bias, 'bias', () => this.b.pad(bias, [0, length - m!]));
  }

  private once(filter: Value, order: string, compute: () => Value): Value {
    const orders = this.known.get(filter) ?? new Map<string, Value>();
    const value = orders.get(order) ?? compute();
    this.known.set(filter, orders.set(order, value));
    return value;
  }
}

/** What filter this one is the transpose of, its taps reversed or not; autodiff makes input gradients with such. */
function turnedBack(filter: Value): { filter: Value; flipped: boolean } | undefined {
  const node = filter.producer;
  const from = node?.opType === 'Transpose' && node.ints('perm', []).join() === '1,0,2,3' && node.inputs[0];
  if (!from) return undefined;
  const slice = from.producer;
  if (slice?.opType !== 'Slice') return { filter: from, flipped: false };
  const [starts, ends, axes, steps] = slice.inputs.slice(1).map(v => Graph.constantOf(v)?.toNumbers());
  const reversed =
    starts?.every(s => s === -1) && ends?.every(e => e <= -(2 ** 31)) && steps?.every(s => s === -1);
  // An axis of one tap need not be reversed.
  const complete = from.fixedShape?.every((size, axis) => axis < 2 || size === 1 || axes?.includes(axis));
  return reversed && complete && axes!.every(axis => axis >= 2)
    ? { filter: slice.inputs[0]!, flipped: true }
    : { filter: from, flipped: false };
}
