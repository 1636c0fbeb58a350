import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import {
  insertAfter,
  insertOnEdge,
  liftConstants,
  lowerConstants,
  mergeConstants,
  mergeNodes,
  removeDead,
  renameValue,
  renameValues,
  replaceNode,
} from '../../../src/graph/rewrite/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { tensorType, type Value } from '../../../src/graph/value.js';

const ops = (graph: Graph): string[] => [...graph.nodes].map(node => node.opType);

function chain(): { graph: Graph; x: Value; a: Value; b: Value } {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', [2]));
  const a = graph.op('Relu', [x], {}, { name: 'a' });
  const b = graph.op('Neg', [a], {}, { name: 'b' });
  graph.addOutput(b, 'y');
  return { graph, x, a, b };
}

describe('removeDead', () => {
  it('removes chains that lead nowhere, and their constants, and keeps what a subgraph uses', () => {
    const { graph, x, a } = chain();
    const w = graph.constant(Tensor.float32([2], [1, 2]), 'w');
    graph.op('Abs', [graph.op('Mul', [x, w])]);
    const kept = graph.constant(Tensor.scalar(1), 'kept');
    const then = new Graph('then');
    then.op('Exp', [a]);
    then.addOutput(then.op('Add', [a, kept]));
    const otherwise = new Graph('else');
    otherwise.addOutput(otherwise.op('Identity', [a]));
    const choice = graph.op('If', [graph.addInput('c')], { then_branch: then, else_branch: otherwise });
    graph.addOutput(choice);
    expect(removeDead(graph)).toEqual({ nodes: 3, constants: 1 });
    expect(ops(graph)).toEqual(['Relu', 'Neg', 'If']);
    expect(ops(then)).toEqual(['Add']);
    expect([...graph.initializers]).toEqual([kept]);
    expect(w.uses.size).toBe(0);
  });

  it('keeps a node of which one output is in use', () => {
    const graph = new Graph();
    const x = graph.addInput('x');
    const split = graph.node('Split', [x], {}, { outputs: 2 });
    graph.addOutput(split.outputs[1]!);
    expect(removeDead(graph)).toEqual({ nodes: 0, constants: 0 });
  });
});

describe('replacing and inserting', () => {
  it('replaces a node by several and keeps the names of outputs', () => {
    const { graph, a, b } = chain();
    const product = graph.op('Mul', [a, graph.constant(Tensor.scalar(-1))]);
    replaceNode(b.producer!, product);
    expect(ops(graph)).toEqual(['Relu', 'Mul']);
    expect(graph.outputs).toEqual([product]);
    expect(product.name).toBe('y');
  });

  it('inserts on one edge only', () => {
    const { graph, a, b } = chain();
    const other = graph.op('Abs', [a]);
    insertOnEdge(b.producer!, 0, value => graph.op('Cast', [value], { to: 10 }));
    expect(b.producer!.inputs[0]!.producer!.opType).toBe('Cast');
    expect(other.producer!.inputs[0]).toBe(a);
  });

  it('inserts behind a value, for all its users and as the output', () => {
    const { graph, a, b } = chain();
    const inserted = insertAfter(graph, a, value => graph.op('Sum', [value, value]));
    expect(inserted.producer!.inputs).toEqual([a, a]);
    expect(b.producer!.inputs).toEqual([inserted]);
    const last = insertAfter(graph, b, value => graph.op('Exp', [graph.op('Log', [value])]));
    expect(graph.outputs).toEqual([last]);
    expect(last.name).toBe('y');
    graph.sort();
    expect(ops(graph)).toEqual(['Relu', 'Sum', 'Neg', 'Log', 'Exp']);
  });

  it('refuses to replace a node by itself', () => {
    const { b } = chain();
    expect(() => replaceNode(b.producer!, b)).toThrow(/own output/);
  });
});

describe('constants', () => {
  it('move between nodes and initializers and stay the same values', () => {
    const { graph, x } = chain();
    const value = graph.op('Constant', [], { value: Tensor.float32([2], [3, 4]) }, { name: 'k' });
    const sum = graph.op('Add', [x, value]);
    graph.addOutput(sum);
    expect(liftConstants(graph)).toBe(1);
    expect([...graph.initializers]).toEqual([value]);
    expect(value.producer).toBeNull();
    expect(sum.producer!.inputs[1]).toBe(value);
    expect(Graph.constantOf(value)!.toNumbers()).toEqual([3, 4]);
    expect(lowerConstants(graph)).toBe(1);
    expect(graph.initializers.size).toBe(0);
    expect(value.producer!.opType).toBe('Constant');
    expect(Graph.constantOf(value)!.toNumbers()).toEqual([3, 4]);
    const order = ops(graph);
    expect(order.indexOf('Constant')).toBeLessThan(order.indexOf('Add'));
  });

  it('leave a Constant that is an output', () => {
    const graph = new Graph();
    graph.addOutput(graph.op('Constant', [], { value_float: 1 }));
    expect(liftConstants(graph)).toBe(0);
  });

  it('merge where dtype, shape and bytes agree', () => {
    const { graph, x } = chain();
    const [a, b] = [1, 1].map(() => graph.constant(Tensor.float32([2], [1, 2])));
    const c = graph.op('Constant', [], { value: Tensor.float32([2], [1, 2]) });
    const others = [
      graph.constant(Tensor.float32([2], [1, 3])),
      graph.constant(Tensor.float32([1, 2], [1, 2])),
      graph.constant(Tensor.fromNumbers('int32', [2], [0x3f800000, 0x40000000])),
    ];
    const then = new Graph('then');
    const inner = then.constant(Tensor.float32([2], [1, 2]));
    then.addOutput(then.op('Add', [x, inner]));
    graph.addOutput(
      graph.op('If', [graph.addInput('c')], { then_branch: then, else_branch: new Graph('else') }),
    );
    const sum = graph.op('Sum', [a!, b!, c, ...others]);
    graph.addOutput(sum);
    expect(mergeConstants(graph)).toBe(3 * 8);
    expect(sum.producer!.inputs).toEqual([a, a, a, ...others]);
    expect(then.outputs[0]!.producer!.inputs).toEqual([x, a]);
    expect(then.initializers.size).toBe(0);
    expect(graph.initializers.size).toBe(4);
  });

  it('read only weights that have the size of another', () => {
    const graph = new Graph();
    const storage = {
      byteLength: 8,
      read: () => {
        throw new Error('read');
      },
    };
    graph.constant(new Tensor('float32', [2], storage));
    graph.constant(Tensor.float32([3], [1, 2, 3]));
    expect(mergeConstants(graph)).toBe(0);
  });
});

describe('mergeNodes', () => {
  it('merges what computes the same, but nothing random', () => {
    const { graph, x } = chain();
    const branches = [0, 1].map(() => graph.op('Exp', [graph.op('Transpose', [x], { perm: [0] })]));
    const differs = graph.op('Transpose', [x], { perm: [-1] });
    const noise = [0, 1].map(() => graph.op('RandomNormalLike', [x]));
    graph.addOutput(graph.op('Sum', [...branches, differs, ...noise]));
    expect(mergeNodes(graph)).toBe(2);
    const inputs = graph.outputs[1]!.producer!.inputs;
    expect(inputs[0]).toBe(inputs[1]);
    expect(inputs[3]).not.toBe(inputs[4]);
  });
});

describe('renaming', () => {
  it('swaps names, and refuses one that another value has', () => {
    const { graph, x, a, b } = chain();
    renameValues(
      graph,
      new Map([
        [x, 'a'],
        [a, 'x'],
      ]),
    );
    expect([x.name, a.name]).toEqual(['a', 'x']);
    expect(() => renameValue(graph, a, 'y')).toThrow(/another value has that name/);
    expect(() => renameValue(graph, b, '')).toThrow(/needs a name/);
    expect(b.name).toBe('y');
    renameValue(graph, b, 'z');
    expect(graph.freshName('z')).toBe('z_1');
  });
});
