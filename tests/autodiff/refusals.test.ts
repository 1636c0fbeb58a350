import { describe, expect, it } from 'vitest';
import { Graph, gradients, Model, Tensor, tensorType, type Value } from '../../src/graph/index.js';
import { evaluate } from '../../src/runtime/index.js';

function graphOf(build: (graph: Graph, x: Value) => Value): { model: Model; x: Value; y: Value } {
  const model = new Model(new Graph());
  model.opsets = new Map([
    ['', 23],
    ['com.microsoft', 1],
  ]);
  const x = model.graph.addInput('x', tensorType('float32', [2, 16]));
  return { model, x, y: build(model.graph, x) };
}

describe('uses of operators without a gradient say so', () => {
  const numbers = (...dims: number[]): Tensor =>
    Tensor.float32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.1));

  it('scales of packed weights', () => {
    const { model, x, y } = graphOf((graph, x) => {
      const packed = graph.constant(Tensor.from('uint8', [1, 1, 8], new Uint8Array(8)));
      const scales = graph.op('Abs', [graph.op('ReduceSum', [x], { keepdims: 0 })]);
      const inputs = [x, packed, graph.op('Reshape', [scales, graph.constant(Tensor.int64([1]))])];
      return graph.op('MatMulNBits', inputs, { K: 16, N: 1, block_size: 16 }, { domain: 'com.microsoft' });
    });
    expect(() => gradients(model, y, [x])).toThrow(/packed weight and scales are not trained.*adapters/s);
  });

  it('a softcap together with a mask', () => {
    const { model, x, y } = graphOf((graph, x) => {
      const q = graph.op('Reshape', [x, graph.constant(Tensor.int64([1, 2, 16]))]);
      return graph.op('Attention', [q, q, q], { q_num_heads: 2, kv_num_heads: 2, is_causal: 1, softcap: 2 });
    });
    expect(() => gradients(model, y, [x])).toThrow(/softcap together with a mask/);
  });

  it('tables of a rotary embedding', () => {
    const { model, x, y } = graphOf((graph, x) => {
      const q = graph.op('Reshape', [x, graph.constant(Tensor.int64([1, 2, 2, 8]))]);
      const cos = graph.op('Reshape', [
        graph.op('Slice', [x, ...[[0], [4], [1]].map(v => graph.constant(Tensor.int64(v)))]),
        graph.constant(Tensor.int64([1, 2, 4])),
      ]);
      return graph.op('RotaryEmbedding', [q, cos, graph.constant(numbers(1, 2, 4))]);
    });
    expect(() => gradients(model, y, [x])).toThrow(/tables of cosines and sines are not trained/);
  });
});

it.each(['RandomNormalLike', 'RandomUniformLike'])(
  '%s moves with nothing, and is a factor like any',
  async op => {
    const { model, x, y } = graphOf((graph, x) => graph.op('Mul', [x, graph.op(op, [x], { seed: 3 })]));
    const [gradient] = gradients(model, y, [x]);
    model.opsets.set('', 21); // ONNX Runtime has no newer kernel.
    model.graph.addOutput(y, 'y');
    model.graph.addOutput(gradient!, 'gradient');
    const out = await evaluate(model, { x: Tensor.float32([2, 16], new Float32Array(32).fill(2)) });
    const drawn = out.y!.toFloat32().map(v => v / 2);
    expect(new Set(drawn).size).toBeGreaterThan(10);
    expect(out.gradient!.toFloat32()).toEqual(drawn);
  },
);
