import { describe, expect, it } from 'vitest';
import { Graph, gradients, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession } from '../../src/runtime/index.js';
import { checkGradients } from './check.js';
import { Random } from './random.js';
import { erf } from './special.js';

type Row = readonly [
  op: string,
  f: (x: number) => number,
  attributes?: Record<string, number | string>,
  domain?: readonly [number, number],
];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(x));
const gelu = (x: number): number => (x / 2) * (1 + erf(x / Math.SQRT2));
const tanhGelu = (x: number): number =>
  (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Operators that have float32 kernels only, with their formula. */
const ROWS: readonly Row[] = [
  ['Erf', erf],
  ['Tan', Math.tan, {}, [-1, 1]],
  ['Asin', Math.asin, {}, [-0.8, 0.8]],
  ['Acos', Math.acos, {}, [-0.8, 0.8]],
  ['Atan', Math.atan],
  ['Sinh', Math.sinh],
  ['Cosh', Math.cosh],
  ['Asinh', Math.asinh],
  ['Acosh', Math.acosh, {}, [1.3, 3]],
  ['Atanh', Math.atanh, {}, [-0.7, 0.7]],
  ['LeakyRelu', x => (x > 0 ? x : 0.3 * x), { alpha: 0.3 }],
  ['ThresholdedRelu', x => (x > 0.4 ? x : 0), { alpha: 0.4 }],
  ['Shrink', x => (x > 0.4 ? x - 0.1 : x < -0.4 ? x + 0.1 : 0), { lambd: 0.4, bias: 0.1 }],
  ['Elu', x => (x > 0 ? x : 0.7 * Math.expm1(x)), { alpha: 0.7 }],
  ['Selu', x => 1.0507 * (x > 0 ? x : 1.6733 * Math.expm1(x)), { alpha: 1.6733, gamma: 1.0507 }],
  ['Celu', x => (x > 0 ? x : 0.8 * Math.expm1(x / 0.8)), { alpha: 0.8 }],
  ['HardSigmoid', x => Math.min(1, Math.max(0, 0.9 * x + 0.4)), { alpha: 0.9, beta: 0.4 }],
  ['HardSwish', x => x * Math.min(1, Math.max(0, x / 6 + 0.5)), {}, [-4, 4]],
  ['Softplus', softplus],
  ['Softsign', x => x / (1 + Math.abs(x))],
  ['Mish', x => x * Math.tanh(softplus(x))],
  ['Gelu', gelu],
  ['Gelu', tanhGelu, { approximate: 'tanh' }],
  ['Relu', x => Math.max(0, x)],
  ['Tanh', Math.tanh],
  ['Sigmoid', sigmoid],
];

describe('gradients of activations', () => {
  for (const [op, f, attributes = {}, from = [-2, 2] as const] of ROWS) {
    it(`${op} ${JSON.stringify(attributes)}`, async () => {
      await checkGradients(
        {
          variables: [{ dims: [3, 4], from }],
          build: (b, xs) => b.op(op, xs, attributes),
          truth: x => [x!.map(f)],
        },
        new Random(1),
      );
    });
  }

  it('PRelu', async () => {
    for (const slope of [[3], [1], [2, 1]]) {
      await checkGradients(
        {
          variables: [{ dims: [2, 3] }, { dims: slope }],
          build: (b, xs) => b.op('PRelu', xs),
          truth: 'multilinear',
        },
        new Random(2),
      );
    }
  });

  it.each(['Softmax', 'LogSoftmax'])('%s', async op => {
    for (const [dims, axis] of [
      [[3, 4], -1],
      [[2, 3, 2], 1],
      [[4], 0],
      [[2, 1], 1],
    ] as const) {
      await checkGradients(
        { variables: [{ dims }], build: (b, xs) => b.op(op, xs, { axis }), truth: 'float64' },
        new Random(3),
      );
    }
  });
});

describe('the gradient of Dropout', () => {
  it('is that of the identity outside of training', async () => {
    await checkGradients(
      { variables: [{ dims: [5] }], build: (b, xs) => b.op('Dropout', xs), truth: 'float64' },
      new Random(4),
    );
  });

  it('passes where the forward pass kept an element, scaled alike', async () => {
    const model = new Model(new Graph());
    const { graph } = model;
    const x = graph.addInput('x', tensorType('float32', [1000]));
    const training = graph.addInput('training', tensorType('bool', []));
    const y = graph.op('Dropout', [x, graph.constant(Tensor.scalar(0.25)), training]);
    const [gradient] = gradients(model, y, [x]);
    graph.addOutput(y, 'y');
    graph.addOutput(gradient!, 'gradient');
    const session = await createSession(encodeToBytes(model), { threads: 1 });
    const ones = Tensor.float32([1000], new Float32Array(1000).fill(1));
    for (const on of [1, 0]) {
      const found = await session.run({ x: ones, training: Tensor.from('bool', [], Uint8Array.of(on)) });
      // With x = 1 the output is the factor itself.
      expect(found.gradient!.toFloat32()).toEqual(found.y!.toFloat32());
      const kept = found.y!.toFloat32().filter(v => v > 0).length;
      if (on) expect(kept).toBeGreaterThan(650);
      if (on) expect(kept).toBeLessThan(850);
      else expect(kept).toBe(1000);
    }
    await session.release();
  });
});
