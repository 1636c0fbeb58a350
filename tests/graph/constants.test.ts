import { expect, it } from 'vitest';
import { quantizedShare } from '../../src/graph/constants.js';
import { Graph, Model, Tensor } from '../../src/graph/index.js';

it('tells the share of bytes that are small integers', () => {
  const graph = new Graph('g');
  const model = new Model(graph);
  expect(quantizedShare(model)).toBe(0);
  graph.constant(new Tensor('float32', [4], new Uint8Array(16)));
  graph.constant(new Tensor('int64', [1], new Uint8Array(8)));
  expect(quantizedShare(model)).toBe(0);
  graph.constant(new Tensor('int8', [20], new Uint8Array(20)));
  graph.constant(new Tensor('uint4', [8], new Uint8Array(4)));
  expect(quantizedShare(model)).toBe(0.5);
});
