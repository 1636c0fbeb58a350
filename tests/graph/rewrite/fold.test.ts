import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { inferShapes } from '../../../src/graph/infer/index.js';
import { Model } from '../../../src/graph/model.js';
import { type Evaluate, foldConstants } from '../../../src/graph/rewrite/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { tensorType } from '../../../src/graph/value.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { loadModel } from '../../../src/onnx/load.node.js';
import { feedsFor, MODELS, run } from '../../onnx/installed-models.js';
import { evaluate } from '../observe.js';

const never: Evaluate = () => Promise.reject(new Error('nothing to evaluate'));

describe('foldConstants', () => {
  it('computes what depends on constants alone, once, and keeps the rest', async () => {
    const graph = new Graph();
    const model = new Model(graph);
    const x = graph.addInput('x', tensorType('float32', ['n', 2]));
    const w = graph.constant(Tensor.float32([2, 2], [1, 2, 3, 4]), 'w');
    const turned = graph.op('Transpose', [graph.op('Mul', [w, w])], {}, { name: 'turned' });
    graph.addOutput(graph.op('MatMul', [x, turned]), 'y');
    graph.addOutput(turned);
    expect(await foldConstants(model, evaluate)).toBe(1);
    const product = graph.outputs[0]!.producer!;
    expect(Graph.constantOf(product.inputs[1])!.toNumbers()).toEqual([1, 9, 4, 16]);
    // An output must be made by a node.
    expect([...graph.nodes].map(node => node.opType).sort()).toEqual(['Identity', 'MatMul']);
    expect(graph.outputs[1]!.name).toBe('turned');
    expect([...graph.initializers]).toHaveLength(1);
    expect(await foldConstants(model, never)).toBe(0);
  });

  it('knows sizes without running anything', async () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', ['n', 6]));
    const width = graph.op('Slice', [
      graph.op('Shape', [x]),
      ...[1, 2, 0].map(i => graph.constant(Tensor.int64([i]))),
    ]);
    const half = graph.op('Div', [width, graph.constant(Tensor.int64([2]))]);
    const target = graph.op('Concat', [graph.constant(Tensor.int64([-1])), half], { axis: 0 });
    graph.addOutput(graph.op('Reshape', [x, target]));
    await foldConstants(new Model(graph), never);
    expect([...graph.nodes].map(node => node.opType)).toEqual(['Reshape']);
    expect(Graph.constantOf(graph.outputs[0]!.producer!.inputs[1])!.toNumbers()).toEqual([-1, 3]);
  });

  it('unpacks no compressed weights, runs nothing random, and does not blow up files', async () => {
    const graph = new Graph();
    const q = graph.constant(Tensor.fromNumbers('int8', [100], new Array(100).fill(1)));
    const scale = graph.constant(Tensor.scalar(0.5));
    graph.addOutput(graph.op('DequantizeLinear', [q, scale]));
    graph.addOutput(graph.op('Cast', [q], { to: 1 }));
    graph.addOutput(graph.op('RandomNormalLike', [scale]));
    graph.addOutput(graph.op('ConstantOfShape', [graph.constant(Tensor.int64([1000, 1000]))]));
    expect(await foldConstants(new Model(graph), never)).toBe(0);
    expect(graph.nodes.size).toBe(4);
  });

  it.each(MODELS)('leaves the outputs of %s as they are', async path => {
    const model = await loadModel(path);
    const feeds = feedsFor(path);
    const before = await run(encodeToBytes(model), feeds);
    const nodes = countNodes(model);
    // With fixed sizes more of the shape arithmetic folds. The speech models have a branch that they do not fit.
    const inputShapes = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, [...t.dims]]));
    if (!path.includes('vad')) inferShapes(model, { inputShapes });
    await foldConstants(model, evaluate);
    expect(countNodes(model)).toBeLessThanOrEqual(nodes);
    // Reshape targets and the arithmetic that made them
    if (path.includes('rec')) expect(countNodes(model)).toBeLessThan(nodes - 30);
    const after = await run(encodeToBytes(model), feeds);
    // The runtime fuses more where it sees constants, so that the last digits may differ.
    for (const [name, { dims, data }] of Object.entries(before)) {
      expect(after[name]!.dims).toEqual(dims);
      const [old, now] = [data, after[name]!.data] as [Float32Array, Float32Array];
      const difference = old.reduce((worst, v, i) => Math.max(worst, Math.abs(v - now[i]!)), 0);
      expect(difference).toBeLessThan(1e-5);
    }
  });
});

const countNodes = (model: Model): number =>
  [...model.graph.allNodes()].filter(node => node.opType !== 'Constant').length;
