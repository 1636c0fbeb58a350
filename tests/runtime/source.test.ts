import { describe, expect, it } from 'vitest';
import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { openSession } from '../../src/runtime/create.js';
import { encodeSource } from '../../src/runtime/source.js';

/** x (1, 64) · w, plus a bias in a Constant node, reshaped to (8, 8). */
function model(): Model {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', [1, 64]));
  const ramp = Float32Array.from({ length: 64 * 64 }, (_, i) => (i % 65 === 0 ? 2 : 0));
  const product = graph.op('MatMul', [x, graph.constant(Tensor.float32([64, 64], ramp), 'w')]);
  const bias = graph.op('Constant', [], { value: Tensor.float32([512], new Float32Array(512).fill(1)) });
  const part = graph.op('Slice', [
    bias,
    graph.constant(Tensor.int64([0])),
    graph.constant(Tensor.int64([64])),
  ]);
  const shape = graph.constant(Tensor.int64([8, 8]));
  graph.addOutput(graph.op('Reshape', [graph.op('Add', [product, part]), shape], {}, { outputs: ['y'] }));
  graph.outputs[0]!.type = tensorType('float32', [8, 8]);
  return new Model(graph);
}

describe('a model too large for one protobuf message', () => {
  const source = encodeSource(model(), [], 0);

  it('keeps large weights beside its bytes, small ones in them', () => {
    expect(source.external.map(e => e.data.byteLength)).toEqual([64 * 64 * 4, 512 * 4]);
    expect(source.data.length).toBeLessThan(1000);
  });

  it.each(['cpu', 'wasm'] as const)('runs on %s', async provider => {
    const session = await openSession(source, { provider, threads: 1 });
    const input = Float32Array.from({ length: 64 }, (_, i) => i);
    const { y } = await session.run({ x: Tensor.float32([1, 64], input) });
    expect(y!.dims).toEqual([8, 8]);
    expect(y!.toNumbers()).toEqual(Array.from(input, v => 2 * v + 1));
    await session.release();
  });
});
