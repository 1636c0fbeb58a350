import { bitsOf, isInteger } from './dtype.js';
import type { Graph } from './graph.js';
import type { Model } from './model.js';
import { SparseTensor } from './sparse.js';
import type { Tensor } from './tensor.js';

/** All graphs of a model: the main one, its subgraphs, and the bodies of functions. */
export function* allGraphs(model: Model): Generator<Graph> {
  for (const graph of [model.graph, ...model.functions.map(f => f.graph)]) {
    yield graph;
    for (const node of graph.allNodes()) yield* node.subgraphs;
  }
}

/** Every constant tensor that the file stores, each once: initializers and attributes, sparse ones by their parts. */
export function* allConstants(model: Model): Generator<Tensor> {
  const seen = new Set<Tensor>();
  for (const constant of stored(model)) {
    for (const tensor of constant instanceof SparseTensor
      ? [constant.values, constant.indices]
      : [constant]) {
      if (seen.has(tensor)) continue;
      seen.add(tensor);
      yield tensor;
    }
  }
}

function* stored(model: Model): Generator<Tensor | SparseTensor> {
  for (const graph of allGraphs(model)) {
    for (const value of graph.initializers) if (value.initializer) yield value.initializer;
    for (const node of graph.nodes) {
      for (const attribute of node.attributes.values()) {
        if (attribute.type === 'tensor' || attribute.type === 'sparse') yield attribute.value;
        if (attribute.type === 'tensors' || attribute.type === 'sparses') yield* attribute.value;
      }
    }
  }
}

/** The share of the constants' bytes that are integers of 8 bits or fewer: most of a quantized model's, else nearly none. */
export function quantizedShare(model: Model): number {
  let quantized = 0;
  let total = 0;
  for (const { dtype, byteLength } of allConstants(model)) {
    total += byteLength;
    if (isInteger(dtype) && bitsOf(dtype) <= 8) quantized += byteLength;
  }
  return total > 0 ? quantized / total : 0;
}
