import { describe, expect, it } from 'vitest';
import { cloneGraph, cloneModel } from '../../src/graph/clone.js';
import { Graph } from '../../src/graph/graph.js';
import { removeDead } from '../../src/graph/rewrite/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { MODELS } from '../onnx/installed-models.js';

describe('cloneModel', () => {
  it.each(MODELS)('of %s writes the same bytes and shares nothing but tensors', async path => {
    const model = await loadModel(path);
    const before = encodeToBytes(model);
    const copy = cloneModel(model);
    expect(Buffer.compare(encodeToBytes(copy), before)).toBe(0);
    copy.graph.outputs.length = 0;
    removeDead(copy.graph);
    expect(copy.graph.nodes.size).toBe(0);
    expect(Buffer.compare(encodeToBytes(model), before)).toBe(0);
  });
});

describe('cloneGraph', () => {
  it('keeps what a subgraph captures inside the copy', () => {
    const graph = new Graph();
    const x = graph.addInput('x');
    const then = new Graph('then');
    then.addOutput(then.op('Neg', [x]));
    graph.node('If', [graph.addInput('c')], { then_branch: then });
    const copy = cloneGraph(graph);
    const [inner] = [...copy.nodes][0]!.subgraphs;
    const [neg] = inner!.nodes;
    expect(neg!.inputs[0]).toBe(copy.inputs[0]);
    expect(inner!.owner?.graph).toBe(copy);
    expect(x.uses.size).toBe(1);
  });
});
