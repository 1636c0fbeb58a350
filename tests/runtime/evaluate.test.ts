import { afterAll, describe, expect, it } from 'vitest';
import { Graph, Tensor, tensorType } from '../../src/graph/index.js';
import { evaluate, releaseEvaluated } from '../../src/runtime/index.js';
import { layer } from './models.js';

afterAll(releaseEvaluated);

const scaled = (factor: number, size = 1): Graph => {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', [1]));
  const factors = graph.constant(Tensor.float32([size], new Float32Array(size).fill(factor)));
  graph.addOutput(graph.op('Mul', [x, factors], {}, { outputs: ['y'] }));
  graph.outputs[0]!.type = tensorType('float32', [size]);
  return graph;
};

describe('evaluate', () => {
  const x = Tensor.float32([1], [3]);

  it('runs a graph or a model', async () => {
    expect((await evaluate(scaled(2), { x })).y!.toNumbers()).toEqual([6]);
    const { y } = await evaluate(layer(), { x: Tensor.float32([1, 2], [1, 1]) });
    expect(y!.toNumbers()).toEqual([6, 8, 0]);
  });

  it('folds a graph without inputs', async () => {
    const graph = new Graph();
    const a = graph.constant(Tensor.int64([1, 2, 3]));
    graph.addOutput(graph.op('Add', [a, a], {}, { outputs: ['y'] }));
    graph.outputs[0]!.type = tensorType('int64', [3]);
    expect((await evaluate(graph)).y!.toNumbers()).toEqual([2, 4, 6]);
  });

  it('tells graphs apart, many at once and more than it keeps', async () => {
    const factors = Array.from({ length: 60 }, (_, i) => i % 40);
    const results = await Promise.all(factors.map(factor => evaluate(scaled(factor), { x })));
    expect(results.map(r => r.y!.toNumbers()[0])).toEqual(factors.map(factor => 3 * factor));
  });

  it('runs a graph that is too large to keep', async () => {
    const { y } = await evaluate(scaled(2, 20_000), { x });
    expect(new Set(y!.toNumbers())).toEqual(new Set([6]));
  });

  it('reports a bad graph each time', async () => {
    const graph = new Graph();
    graph.addOutput(graph.op('Nothing', [], {}, { outputs: ['y'] }));
    for (let i = 0; i < 2; i++) await expect(evaluate(graph)).rejects.toThrow(/No Op registered for Nothing/);
  });
});
