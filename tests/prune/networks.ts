import fc from 'fast-check';
import { Graph } from '../../src/graph/graph.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType, type Value } from '../../src/graph/value.js';
import { Random } from '../../src/random/random.js';

/** Builds networks with random weights. */
export class Builder {
  readonly graph = new Graph('random');
  readonly random: Random;
  opset = 17;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  weight(dims: readonly number[], scale = 1 / Math.sqrt(dims.slice(1).reduce((a, b) => a * b, 1))): Value {
    const size = dims.reduce((a, b) => a * b, 1);
    return this.graph.constant(
      Tensor.float32(
        dims,
        Array.from({ length: size }, () => scale * this.random.normal()),
      ),
      'weight',
    );
  }

  vector(size: number, mean = 0): Value {
    return this.graph.constant(
      Tensor.float32(
        [size],
        Array.from({ length: size }, () => mean + 0.3 * this.random.normal()),
      ),
      'vector',
    );
  }

  ints(...values: number[]): Value {
    return this.graph.constant(Tensor.int64(values), 'shape');
  }

  op(...args: Parameters<Graph['op']>): Value {
    return this.graph.op(...args);
  }

  conv(
    x: Value,
    inputs: number,
    outputs: number,
    { kernel = 3, group = 1, bias = true, stride = 1 } = {},
  ): Value {
    const w = this.weight([outputs, inputs / group, kernel, kernel]);
    const pad = (kernel - 1) / 2;
    return this.op('Conv', bias ? [x, w, this.vector(outputs)] : [x, w], {
      group,
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    });
  }

  linear(x: Value, inputs: number, outputs: number): Value {
    return this.op('Add', [
      this.op('MatMul', [x, this.weight([inputs, outputs], 1 / Math.sqrt(inputs))]),
      this.vector(outputs),
    ]);
  }

  batchNorm(x: Value, channels: number): Value {
    const variance = this.graph.constant(
      Tensor.float32(
        [channels],
        Array.from({ length: channels }, () => this.random.uniform(0.5, 1.5)),
      ),
    );
    return this.op('BatchNormalization', [
      x,
      this.vector(channels, 1),
      this.vector(channels),
      this.vector(channels),
      variance,
    ]);
  }

  layerNorm(x: Value, size: number): Value {
    return this.op('LayerNormalization', [x, this.vector(size, 1), this.vector(size)], { axis: -1 });
  }

  finish(output: Value): Model {
    this.graph.addOutput(output, 'y').type = tensorType('float32');
    const model = new Model(this.graph);
    model.opsets = new Map([['', this.opset]]);
    model.irVersion = 8;
    inferShapes(model);
    return model;
  }
}

export interface Features {
  readonly x: Value;
  readonly channels: number;
}

type Block = (b: Builder, f: Features) => Features;

/** Parts of convolutional networks on (1, channels, 6, 6); channels stay a multiple of 4. */
export const BLOCKS: Readonly<Record<string, Block>> = {
  plain: (b, { x, channels }) => {
    const y = b.op('Relu', [b.conv(x, channels, 8)]);
    return { x: y, channels: 8 };
  },
  normalized: (b, { x, channels }) => {
    const y = b.op('HardSwish', [b.batchNorm(b.conv(x, channels, 12, { bias: false }), 12)]);
    return { x: y, channels: 12 };
  },
  residual: (b, { x, channels }) => {
    const inner = b.op('Relu', [b.batchNorm(b.conv(x, channels, channels), channels)]);
    return { x: b.op('Relu', [b.op('Add', [b.conv(inner, channels, channels), x])]), channels };
  },
  projected: (b, { x, channels }) => ({
    x: b.op('Add', [
      b.conv(x, channels, 8, { kernel: 1 }),
      b.conv(b.op('Relu', [b.conv(x, channels, 4)]), 4, 8),
    ]),
    channels: 8,
  }),
  separable: (b, { x, channels }) => {
    const wide = b.op('Relu', [b.conv(x, channels, 16, { kernel: 1 })]);
    const deep = b.op('Sigmoid', [b.conv(wide, 16, 16, { group: 16 })]);
    return { x: b.conv(deep, 16, 8, { kernel: 1 }), channels: 8 };
  },
  grouped: (b, { x, channels }) => ({ x: b.op('Relu', [b.conv(x, channels, 8, { group: 4 })]), channels: 8 }),
  multiplied: (b, { x, channels }) => {
    const deep = b.op('Relu', [b.conv(x, channels, 2 * channels, { group: channels })]);
    return { x: b.conv(deep, 2 * channels, 8, { kernel: 1 }), channels: 8 };
  },
  concatenated: (b, { x, channels }) => {
    const left = b.op('Relu', [b.conv(x, channels, 4)]);
    const right = b.op('Sigmoid', [b.conv(x, channels, 8, { kernel: 1 })]);
    return { x: b.op('Concat', [left, x, right], { axis: 1 }), channels: channels + 12 };
  },
  split: (b, { x, channels }) => {
    const wide = b.conv(x, channels, 12, { kernel: 1 });
    const parts = b.graph.node('Split', [wide, b.ints(4, 8)], { axis: 1 }, { outputs: 2 });
    const right = b.conv(parts.outputs[1]!, 8, 4);
    return { x: b.op('Mul', [parts.outputs[0]!, b.op('Sigmoid', [right])]), channels: 4 };
  },
  sliced: (b, { x, channels }) => {
    const wide = b.op('Relu', [b.conv(x, channels, 12)]);
    const cut = b.op('Slice', [wide, b.ints(2), b.ints(-2), b.ints(1)]);
    return { x: cut, channels: 8 };
  },
  gated: (b, { x, channels }) => {
    const squeezed = b.op('Relu', [b.conv(b.op('GlobalAveragePool', [x]), channels, 4, { kernel: 1 })]);
    return {
      x: b.op('Mul', [x, b.op('HardSigmoid', [b.conv(squeezed, 4, channels, { kernel: 1 })])]),
      channels,
    };
  },
  shuffled: (b, { x, channels }) => {
    const split = b.op('Reshape', [x, b.ints(0, 2, channels / 2, 6, 6)]);
    const turned = b.op('Transpose', [split], { perm: [0, 2, 1, 3, 4] });
    return { x: b.op('Reshape', [turned, b.ints(0, -1, 6, 6)]), channels };
  },
  scaled: (b, { x, channels }) => {
    // A normalization spelled out, as PaddleOCR exports it.
    const scale = b.op('Reshape', [b.vector(channels, 1), b.ints(1, channels, 1, 1)]);
    return { x: b.op('Add', [b.op('Mul', [x, scale]), b.weight([1, channels, 1, 1], 0.1)]), channels };
  },
  upsampled: (b, { x, channels }) => {
    const small = b.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
    const empty = b.graph.constant(Tensor.float32([0], []));
    const scales = b.graph.constant(Tensor.float32([4], [1, 1, 2, 2]));
    return { x: b.op('Resize', [small, empty, scales], { mode: 'nearest' }), channels };
  },
  widened: (b, { x, channels }) => {
    const pads = b.ints(0, 2, 0, 0, 0, 2, 0, 0);
    const wide = b.conv(b.op('Relu', [b.conv(x, channels, channels)]), channels, channels + 4);
    return { x: b.op('Add', [wide, b.op('Pad', [x, pads])]), channels: channels + 4 };
  },
  padded: (b, { x, channels }) => {
    const up = b.graph.constant(Tensor.int64([0, 0, 1, 1, 0, 0, 1, 1]));
    const pooled = b.op('AveragePool', [b.op('Pad', [x, up])], { kernel_shape: [3, 3], strides: [1, 1] });
    return { x: pooled, channels };
  },
  transposed: (b, { x, channels }) => {
    const w = b.weight([channels, 4, 3, 3], 0.2);
    return {
      x: b.op('ConvTranspose', [x, w, b.vector(8)], { group: 2, pads: [1, 1, 1, 1], kernel_shape: [3, 3] }),
      channels: 8,
    };
  },
  grouping: (b, { x, channels }) => {
    // GroupNormalization as it is exported: through InstanceNormalization.
    const flat = b.op('Reshape', [x, b.ints(0, 2, -1)]);
    const normal = b.op('InstanceNormalization', [flat, b.vector(2, 1), b.vector(2)]);
    return { x: b.op('Reshape', [normal, b.ints(1, channels, 6, 6)]), channels };
  },
  shape: (b, { x, channels }) => {
    // Sizes that the model computes itself.
    const size = b.op('Gather', [b.op('Shape', [x]), b.ints(1)], { axis: 0 });
    const root = b.op('Sqrt', [b.op('Cast', [size], { to: 1 })]);
    const flat = b.op('Reshape', [x, b.op('Concat', [b.ints(1), size, b.ints(36)], { axis: 0 })]);
    return { x: b.op('Reshape', [b.op('Div', [flat, root]), b.ints(0, 0, 6, 6)]), channels };
  },
};

export interface NetworkShape {
  readonly seed: number;
  readonly blocks: readonly string[];
  readonly pooled: boolean;
}

/** A few blocks in a row, then a classifier. */
export function convolutional({ seed, blocks, pooled }: NetworkShape): Model {
  const b = new Builder(seed);
  const image = b.graph.addInput('x', tensorType('float32', [1, 3, 6, 6]));
  let features: Features = { x: b.op('Relu', [b.conv(image, 3, 8)]), channels: 8 };
  for (const name of blocks) features = BLOCKS[name]!(b, features);
  const { x, channels } = features;
  const width = pooled ? channels : 36 * channels;
  const flat = b.op('Flatten', [pooled ? b.op('GlobalAveragePool', [x]) : x]);
  const y = b.op('Gemm', [flat, b.weight([5, width]), b.vector(5)], { transB: 1 });
  return b.finish(b.op('Softmax', [y]));
}

export const networkShape: fc.Arbitrary<NetworkShape> = fc.record({
  seed: fc.nat(1e6),
  blocks: fc.array(fc.constantFrom(...Object.keys(BLOCKS)), { minLength: 1, maxLength: 4 }),
  pooled: fc.boolean(),
});

export interface TransformerShape {
  readonly seed: number;
  readonly packed: boolean;
  readonly symbolic: boolean;
  readonly gated: boolean;
}

/** A block of self-attention and a feed-forward net over (1, tokens, 12), with 3 heads of 4. */
export function transformer({ seed, packed, symbolic, gated }: TransformerShape): Model {
  const b = new Builder(seed);
  const [width, heads, size] = [12, 3, 4];
  const ids = b.graph.addInput('x', tensorType('int64', [1, symbolic ? 'tokens' : 5]));
  let x = b.op('Gather', [b.weight([20, width], 1), ids]);
  const normal = b.layerNorm(x, width);
  const toHeads = (value: Value) =>
    b.op('Transpose', [b.op('Reshape', [value, b.ints(0, -1, heads, size)])], { perm: [0, 2, 1, 3] });
  let parts: Value[];
  if (packed) {
    const all = b.op('Reshape', [b.linear(normal, width, 3 * width), b.ints(0, -1, 3, heads, size)]);
    const turned = b.op('Transpose', [all], { perm: [2, 0, 3, 1, 4] });
    parts = [0, 1, 2].map(i =>
      b.op('Gather', [turned, b.graph.constant(Tensor.int64([i], []))], { axis: 0 }),
    );
  } else parts = [0, 1, 2].map(() => toHeads(b.linear(normal, width, width)));
  const [q, k, v] = parts as [Value, Value, Value];
  const scores = b.op('MatMul', [q, b.op('Transpose', [k], { perm: [0, 1, 3, 2] })]);
  const scaled = b.op('Mul', [scores, b.graph.constant(Tensor.scalar(0.5))]);
  const mixed = b.op('MatMul', [b.op('Softmax', [scaled], { axis: -1 }), v]);
  const joined = b.op('Reshape', [b.op('Transpose', [mixed], { perm: [0, 2, 1, 3] }), b.ints(0, -1, width)]);
  x = b.op('Add', [x, b.linear(joined, width, width)]);
  const before = b.layerNorm(x, width);
  let hidden = b.op('Relu', [b.linear(before, width, 16)]);
  if (gated) hidden = b.op('Mul', [hidden, b.op('Sigmoid', [b.linear(before, width, 16)])]);
  x = b.op('Add', [x, b.linear(hidden, 16, width)]);
  return b.finish(b.linear(b.layerNorm(x, width), width, 6));
}
