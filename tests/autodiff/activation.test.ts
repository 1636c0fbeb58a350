import { describe, expect, it } from 'vitest';
import { Graph, gradients, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession } from '../../src/runtime/index.js';
import { checkGradients } from './check.js';
import { FORMULAS } from './formulas.js';
import { Random } from './random.js';

describe('gradients of activations', () => {
  for (const [op, f, attributes = {}, from = [-2, 2] as const] of FORMULAS) {
    it(`${op} ${JSON.stringify(attributes)}`, async () => {
      await checkGradients(
        {
          variables: [{ dims: [3, 4], from }],
          build: (b, xs) => b.op(op, xs, attributes),
          truth: x => [x.map(f)],
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
