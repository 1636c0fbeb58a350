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
      const { b, block } = this;
      const [m, c, h, w] = filter.fixedShape!;
      const [mb, cb] = [Math.ceil(m! / block), Math.ceil(c! / block)];
      const padded = b.pad(filter, [0, 0, 0, 0, mb * block - m!, cb * block - c!, 0, 0]);
      const split = b.reshape(padded, [mb, block, cb, block, h! * w!]);
      return b.reshape(b.transpose(split, [0, 2, 4, 3, 1]), [mb * block, cb * block, h!, w!]);
    });
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
