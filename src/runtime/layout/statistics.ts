import type { Value } from '../../graph/value.js';
import type { Factor, Factors } from './factors.js';
import type { Blocked, BlockedOperators } from './operators.js';

/** Means over batch and positions, one for each channel: (1, C, 1, 1) in standard order. Nothing is computed twice. */
export class Statistics {
  private readonly ops: BlockedOperators;
  private readonly factors: Factors;
  private readonly averages: Map<Value, Value> = new Map();
  private readonly means: Map<Value, Value> = new Map();
  private readonly products: Map<Value, Map<Value, Value>> = new Map();

  constructor(ops: BlockedOperators, factors: Factors) {
    this.ops = ops;
    this.factors = factors;
  }

  /** Means over the positions of each image: (N, C, 1, 1). */
  average(x: Blocked): Value {
    const known = this.averages.get(x.value) ?? this.channels(this.ops.globalAverage(x), x.dims[1]);
    this.averages.set(x.value, known);
    return known;
  }

  mean(x: Blocked): Value {
    const known = this.means.get(x.value) ?? this.ops.b.mean(this.average(x), [0]);
    this.means.set(x.value, known);
    return known;
  }

  /** Mean of x·y. */
  meanProduct(x: Blocked, y: Blocked): Value {
    const known = this.products.get(x.value)?.get(y.value) ?? this.products.get(y.value)?.get(x.value);
    if (known) return known;
    const value = this.dot(x, y);
    const row = this.products.get(x.value) ?? new Map<Value, Value>();
    this.products.set(x.value, row.set(y.value, value));
    return value;
  }

  covariance(x: Blocked, y: Blocked): Factor {
    return this.factors.sub(this.meanProduct(x, y), this.factors.mul(this.mean(x), this.mean(y)));
  }

  /** Each channel of each image is a group of its own, convolved with a kernel as large as the image. */
  private dot(x: Blocked, y: Blocked): Value {
    const { b } = this.ops;
    const [n, c, h, w] = x.dims;
    const channels = this.ops.padded(c);
    const all = n * channels;
    const input = b.reshape(x.value, [1, all, h, w]);
    const filter = b.reshape(y.value, [all, 1, h, w]);
    const dots = this.ops.conv(input, filter, [1, all, 1, 1], { kernel: [h, w], group: all });
    const mean = b.mean(b.reshape(dots, [n, channels, 1, 1]), [0]);
    return b.mul(this.channels(mean, c), 1 / (h * w));
  }

  private channels(x: Value, count: number): Value {
    return x.fixedShape![1] === count ? x : this.ops.b.slice(x, [0], [count], [1]);
  }
}
