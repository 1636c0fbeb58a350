import type { Builder } from '../../graph/ops/builder.js';
import { tensorType, type Value } from '../../graph/value.js';

/** ONNX Runtime's operators on blocked images; its CPU provider alone has them, for its own use. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

export type ImageDims = readonly [batch: number, channels: number, height: number, width: number];

/**
 * Images in blocked order: (N, C/b, H, W, b) in memory, for the b channels that one vector register holds. The value
 * is typed (N, C, H, W) with C rounded up to a multiple of b; `dims` has the C that counts. What the channels behind
 * it hold does not matter as long as it is finite.
 */
export interface Blocked {
  readonly value: Value;
  readonly dims: ImageDims;
}

export interface BlockedConv {
  readonly kernel: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  /** Top, left, bottom, right. */
  readonly pads?: readonly [number, number, number, number];
  readonly group?: number;
  /** One for each output channel, the padding included. */
  readonly bias?: Value | undefined;
  /** Added to the result, before the activation. */
  readonly sum?: Value | undefined;
  readonly activation?: 'Relu' | undefined;
}

/** Emits the blocked operators. */
export class BlockedOperators {
  readonly b: Builder;
  /** Channels of one block: 16 with AVX-512, else 8. */
  readonly block: number;

  constructor(b: Builder, block: number) {
    this.b = b;
    this.block = block;
  }

  /** Channels rounded up to whole blocks. */
  padded(channels: number): number {
    return Math.ceil(channels / this.block) * this.block;
  }

  /** A convolution; `x`, `filter` and the result as the operator sees them, views of other shapes included. */
  conv(x: Value, filter: Value, out: ImageDims, options: BlockedConv): Value {
    const { kernel, strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0], group = 1 } = options;
    const { bias, sum, activation } = options;
    const inputs = [x, filter, ...(bias || sum ? [bias ?? null] : []), ...(sum ? [sum] : [])];
    const attributes = { kernel_shape: kernel, strides, dilations, pads, group, activation };
    return this.typed(this.b.op('Conv', inputs, attributes, BLOCKED_DOMAIN), out);
  }

  /** Every channel times its factor, plus its offset; `factor` and `offset` are as long as the padded channels. */
  scale(x: Blocked, factor: Value, options: Pick<BlockedConv, 'bias' | 'sum' | 'activation'>): Blocked {
    const [n, c, h, w] = x.dims;
    const channels = this.padded(c);
    const filter = this.b.reshape(factor, [channels, 1, 1, 1]);
    const value = this.conv(x.value, filter, [n, channels, h, w], {
      ...options,
      kernel: [1, 1],
      group: channels,
    });
    return { value, dims: x.dims };
  }

  /** Means over the positions, in standard order: (N, padded C, 1, 1). */
  globalAverage(x: Blocked): Value {
    const [n, c] = x.dims;
    const value = this.b.op('GlobalAveragePool', [x.value], {}, BLOCKED_DOMAIN);
    return this.typed(value, [n, this.padded(c), 1, 1]);
  }

  /** A pool with the attributes of the standard operator. */
  pool(
    opType: 'MaxPool' | 'AveragePool',
    x: Blocked,
    attributes: Readonly<Record<string, number | readonly number[]>>,
    dims: ImageDims,
  ): Blocked {
    const [n, c, h, w] = dims;
    const value = this.b.op(opType, [x.value], attributes, BLOCKED_DOMAIN);
    return { value: this.typed(value, [n, this.padded(c), h, w]), dims };
  }

  /** From standard into blocked order. */
  reorderInput(x: Value, dims: ImageDims): Blocked {
    const [n, c, h, w] = dims;
    // The operator takes channels in fours.
    const fours = Math.ceil(c / 4) * 4;
    const source = this.b.pad(x, [0, 0, 0, 0, 0, fours - c, 0, 0]);
    const value = this.b.op('ReorderInput', [source], {}, BLOCKED_DOMAIN);
    return { value: this.typed(value, [n, this.padded(c), h, w]), dims };
  }

  /** From blocked into standard order. */
  reorderOutput({ value, dims }: Blocked): Value {
    const result = this.b.op('ReorderOutput', [value], { channels: dims[1] }, BLOCKED_DOMAIN);
    return this.typed(result, dims);
  }

  /** Shape inference does not know the blocked operators. */
  private typed(value: Value, dims: readonly number[]): Value {
    value.type = tensorType('float32', dims);
    return value;
  }
}
