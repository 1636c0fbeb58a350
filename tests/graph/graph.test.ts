import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/graph/graph.js';
import { Node } from '../../src/graph/node.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType, Value } from '../../src/graph/value.js';

function chain(): { graph: Graph; x: Value; a: Value; b: Value } {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', ['n', 4]));
  const a = graph.op('Relu', [x], {}, { name: 'a' });
  const b = graph.op('Neg', [a], {}, { name: 'b' });
  graph.addOutput(b, 'y');
  return { graph, x, a, b };
}

describe('Graph', () => {
  it('tracks producers and uses through edits', () => {
    const { graph, x, a, b } = chain();
    expect(a.producer?.opType).toBe('Relu');
    expect(a.consumers).toEqual([b.producer]);
    b.producer!.setInput(0, x);
    expect(a.uses.size).toBe(0);
    expect(x.uses.size).toBe(2);
    graph.remove(a.producer!);
    expect([...graph.nodes].map(n => n.opType)).toEqual(['Neg']);
    expect(x.consumers).toEqual([b.producer]);
  });

  it('counts a value that one node uses twice', () => {
    const graph = new Graph();
    const x = graph.addInput('x');
    const sum = graph.node('Add', [x, x]);
    sum.setInput(0, null);
    expect(x.consumers).toEqual([sum]);
    sum.setInput(1, null);
    expect(x.consumers).toEqual([]);
  });

  it('refuses to remove a node whose output is used', () => {
    const { graph, a, b } = chain();
    expect(() => graph.remove(a.producer!)).toThrow(/still used/);
    expect(() => graph.remove(b.producer!)).toThrow(/still used/);
  });

  it('keeps the interface when a graph output is replaced', () => {
    const { graph, a, b } = chain();
    const c = graph.op('Abs', [a]);
    graph.replaceUses(b, c);
    expect(graph.outputs).toEqual([c]);
    expect(c.name).toBe('y');
    expect(b.name).not.toBe('y');
  });

  it('puts an Identity where an input replaces an output', () => {
    const { graph, x, b } = chain();
    graph.replaceUses(b, x);
    expect(graph.outputs[0]!.producer?.opType).toBe('Identity');
    expect(graph.outputs[0]!.name).toBe('y');
    expect(x.name).toBe('x');
  });

  it('makes names that are fresh in the whole model', () => {
    const { graph } = chain();
    const body = new Graph('body');
    graph.node('If', [graph.addInput('cond')], { then_branch: body });
    expect(body.newValue('x').name).toBe('x_1');
    expect(graph.newValue('x').name).toBe('x_2');
  });

  it('sorts topologically, stably, and counts what subgraphs capture', () => {
    const graph = new Graph();
    const x = graph.addInput('x');
    const late = new Value('late');
    const body = new Graph('body');
    body.addOutput(body.op('Neg', [late]));
    const branch = graph.node('If', [x], { then_branch: body });
    const other = graph.node('Abs', [x]);
    const producer = graph.insert(new Node('Relu', [x], [late]));
    graph.sort();
    expect([...graph.nodes]).toEqual([other, producer, branch]);
  });

  it('names the nodes of a cycle', () => {
    const graph = new Graph();
    const loop = new Value('loop');
    const a = graph.op('Relu', [loop], {}, { name: 'first' });
    graph.insert(new Node('Neg', [a], [loop], { name: 'second' }));
    expect(() => graph.sort()).toThrow(/cycle through Relu "first", Neg "second"/);
  });

  it('takes a node that uses its own output for a cycle', () => {
    const graph = new Graph();
    const loop = new Value('loop');
    graph.insert(new Node('Neg', [loop], [loop], { name: 'own' }));
    expect(() => graph.sort()).toThrow(/cycle through Neg "own"/);
  });

  it('reads constants from initializers and from every dense form of Constant', () => {
    const graph = new Graph();
    const read = (attributes: Parameters<Graph['op']>[2]) =>
      Graph.constantOf(graph.op('Constant', [], attributes))!;
    expect(Graph.constantOf(graph.constant(Tensor.scalar(2)))!.toNumbers()).toEqual([2]);
    expect(read({ value: Tensor.int64([1, 2]) }).toNumbers()).toEqual([1, 2]);
    expect(read({ value_float: 1 }).dtype).toBe('float32');
    expect(read({ value_int: 7 }).dims).toEqual([]);
    expect(read({ value_ints: [1, 2, 3] }).toNumbers()).toEqual([1, 2, 3]);
    expect(Graph.constantOf(graph.op('Relu', [null]))).toBeUndefined();
  });
});
