import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Builder,
  Graph,
  gradients,
  Model,
  Tensor,
  tensorType,
  typedBuilder,
  type Value,
} from '../../src/graph/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession } from '../../src/runtime/index.js';
import { cosineDistance, crossEntropy, klDivergence, meanSquaredError } from '../../src/train/losses.js';

type Golden = Record<string, { loss: number; gradients: Record<string, number[]> }>;

const golden = JSON.parse(readFileSync('tests/autodiff/golden/gradients.json', 'utf8')) as Golden;

/** Makes inputs as golden/gradients.py does. */
class Inputs {
  readonly values: Map<string, Value> = new Map();
  readonly feeds: Record<string, Tensor> = {};
  readonly model = new Model(new Graph());
  readonly b: Builder = typedBuilder(this.model);

  fill(name: string, dims: number[], { scale = 0.5, offset = 0 } = {}): Value {
    const start = this.values.size;
    const size = dims.reduce((p, d) => p * d, 1);
    const data = Float32Array.from({ length: size }, (_, i) => offset + scale * Math.sin(1.7 * i + start));
    const value = this.model.graph.addInput(name, tensorType('float32', dims));
    this.values.set(name, value);
    this.feeds[name] = Tensor.float32(dims, data);
    return value;
  }

  constant(dims: number[], data: number[]): Value {
    return this.b.constant(Tensor.float32(dims, data));
  }

  /** x·Wᵀ + bias, as PyTorch stores W. */
  linear(x: Value, w: Value, bias?: Value): Value {
    const y = this.b.matmul(x, this.b.transpose(w, [1, 0]));
    return bias ? this.b.add(y, bias) : y;
  }
}

function convNet(inputs: Inputs): Value {
  const { b } = inputs;
  const fill = inputs.fill.bind(inputs);
  const x = fill('x', [3, 2, 8, 8], { scale: 1 });
  const first = [fill('conv1', [4, 2, 3, 3]), fill('bias1', [4])];
  let y = b.op('Conv', [x, ...first], { strides: [2, 2], pads: [1, 1, 1, 1] });
  const [mean, variance] = [inputs.constant([4], [0, 0, 0, 0]), inputs.constant([4], [1, 1, 1, 1])];
  const affine = [fill('gamma', [4], { offset: 1 }), fill('beta', [4])];
  y = b.node(
    'BatchNormalization',
    [y, ...affine, mean, variance],
    { training_mode: 1, epsilon: 1e-3 },
    3,
  ).output;
  y = b.op('Relu', [y]);
  y = b.op('Conv', [y, fill('depthwise', [4, 1, 3, 3])], { pads: [2, 2, 2, 2], dilations: [2, 2], group: 4 });
  y = b.op('Gelu', [y]);
  y = b.op('MaxPool', [y], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  y = b.op('ConvTranspose', [y, fill('transposed', [4, 2, 2, 2])], { strides: [2, 2] });
  y = b.op('InstanceNormalization', [y, fill('scale', [2], { offset: 1 }), fill('shift', [2])], {
    epsilon: 1e-3,
  });
  y = b.op('Flatten', [b.op('AveragePool', [y], { kernel_shape: [2, 2], strides: [2, 2] })]);
  const logits = b.op('Gemm', [y, fill('fc', [5, 32]), fill('fcBias', [5])], { transB: 1 });
  return crossEntropy(b, logits, b.ints([3, -100, 1]), { labelSmoothing: 0.1, ignoreIndex: -100 });
}

function attentionBlock(inputs: Inputs): Value {
  const { b } = inputs;
  const fill = inputs.fill.bind(inputs);
  const tokens = b.reshape(b.ints([1, 4, 2, 0, 2, 2]), [2, 3]);
  let x = b.op('Gather', [fill('table', [5, 4], { scale: 1 }), tokens]); // (batch, length, width)
  const norm = [fill('normScale', [4], { offset: 1 }), fill('normShift', [4])];
  const h = b.op('LayerNormalization', [x, ...norm], { epsilon: 1e-3 });
  const qkv = inputs.linear(h, fill('qkv', [12, 4]), fill('qkvBias', [12]));
  const [q, k, v] = b
    .node('Split', [qkv], { axis: -1, num_outputs: 3 }, 3)
    .outputs.map(part => b.transpose(b.reshape(part!, [2, 3, 2, 2]), [0, 2, 1, 3])); // (batch, heads, length, 2)
  const scores = b.div(b.matmul(q!, b.transpose(k!, [0, 1, 3, 2])), Math.SQRT2);
  const causal = inputs.constant([3, 3], [0, -1e4, -1e4, 0, 0, -1e4, 0, 0, 0]);
  const weights = b.op('Softmax', [b.add(scores, causal)]);
  const mixed = b.reshape(b.transpose(b.matmul(weights, v!), [0, 2, 1, 3]), [2, 3, 4]);
  x = b.add(x, inputs.linear(mixed, fill('out', [4, 4])));
  const up = b.op('Gelu', [inputs.linear(x, fill('up', [8, 4]))], { approximate: 'tanh' });
  x = b.add(x, inputs.linear(up, fill('down', [4, 8])));
  const target = fill('target', [2, 3, 4]);
  return b.total([
    meanSquaredError(b, x, target),
    cosineDistance(b, x, target),
    klDivergence(b, x, target, { temperature: 2 }),
  ]);
}

describe("PyTorch's gradients", () => {
  it.each([
    ['convNet', convNet, 'cpu'],
    ['attentionBlock', attentionBlock, 'cpu'],
    ['convNet', convNet, 'wasm'],
    ['attentionBlock', attentionBlock, 'wasm'],
  ] as const)('%s', async (name, build, provider) => {
    const inputs = new Inputs();
    const loss = build(inputs);
    const { graph } = inputs.model;
    const names = [...inputs.values.keys()];
    const found = gradients(inputs.model, loss, [...inputs.values.values()]);
    graph.addOutput(loss, 'loss');
    found.forEach((g, i) => graph.addOutput(inputs.b.op('Identity', [g]), `grad.${names[i]}`));
    const session = await createSession(encodeToBytes(inputs.model), { threads: 1, provider });
    const out = await session.run(inputs.feeds);
    await session.release();
    const { loss: expectedLoss, gradients: expected } = golden[name]!;
    expect(out.loss!.toFloat32()[0]).toBeCloseTo(expectedLoss, 5);
    expect(names).toEqual(Object.keys(expected));
    for (const parameter of names) {
      const own = out[`grad.${parameter}`]!.toFloat32();
      const theirs = expected[parameter]!;
      expect(own.length).toBe(theirs.length);
      // A gradient that cancels to zero, like that of a bias before BatchNorm, is compared to the largest of all.
      const largest = Math.max(0.01, ...theirs.map(Math.abs));
      const error = Math.max(...theirs.map((v, i) => Math.abs(v - own[i]!)));
      expect(error / largest, parameter).toBeLessThan(2e-5);
    }
  });
});
