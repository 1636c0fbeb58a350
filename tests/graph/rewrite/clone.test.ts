import { describe, expect, it } from 'vitest';
import { cloneModel } from '../../../src/graph/clone.js';
import { Graph } from '../../../src/graph/graph.js';
import { Model } from '../../../src/graph/model.js';
import { removeDead } from '../../../src/graph/rewrite/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import type { Value } from '../../../src/graph/value.js';

function modelWithSubgraph(): Model {
  const graph = new Graph();
  const x = graph.addInput('x');
  const cond = graph.addInput('cond');
  const scaled = graph.op('Mul', [x, graph.constant(Tensor.scalar(2), 'two')]);
  const body = new Graph('body');
  body.addOutput(body.op('Neg', [scaled]));
  graph.addOutput(graph.op('If', [cond], { then_branch: body, else_branch: body }), 'y');
  graph.op('Abs', [graph.op('Relu', [x])]);
  graph.constant(Tensor.scalar(3), 'unused');
  return new Model(graph);
}

describe('cloneModel', () => {
  it('shares no nodes or values, but the tensors', () => {
    const model = modelWithSubgraph();
    const values = new Map<Value, Value>();
    const copy = cloneModel(model, values);
    const mul = [...copy.graph.nodes][0]!;
    expect(mul).not.toBe([...model.graph.nodes][0]);
    expect(mul.inputs[0]).toBe(copy.graph.inputs[0]);
    expect(mul.inputs[1]!.initializer).toBe([...model.graph.initializers][0]!.initializer);
    const inner = [...copy.graph.nodes][1]!.subgraphs[0]!;
    expect([...inner.nodes][0]!.inputs[0]).toBe(values.get([...model.graph.nodes][0]!.output));
    expect(inner.root).toBe(copy.graph);
    copy.graph.outputs[0]!.name = 'z';
    expect(model.graph.outputs[0]!.name).toBe('y');
  });

  it('makes names that are fresh in the copy', () => {
    const copy = cloneModel(modelWithSubgraph());
    expect(copy.graph.freshName('two')).toBe('two_1');
    expect(copy.graph.freshName('neg')).toBe('neg_1');
  });
});

describe('removeDead', () => {
  it('removes chains without use and unused constants, keeps inputs and captured values', () => {
    const { graph } = modelWithSubgraph();
    expect(removeDead(graph)).toEqual({ nodes: 2, constants: 1 });
    expect([...graph.nodes].map(n => n.opType)).toEqual(['Mul', 'If']);
    expect([...graph.initializers].map(v => v.name)).toEqual(['two']);
    expect(graph.inputs).toHaveLength(2);
  });

  it('frees what only a removed subgraph used', () => {
    const { graph } = modelWithSubgraph();
    graph.outputs.length = 0;
    removeDead(graph);
    expect(graph.nodes.size).toBe(0);
    expect(graph.initializers.size).toBe(0);
  });
});
