import type { Site } from '../../calibrate/sites.js';
import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Value } from '../../graph/value.js';

/**
 * Whether every use of a site is x · W with a plain matrix W, so that an operator which only knows that can stand in:
 * MatMul on the right, or Gemm without factors.
 */
export function isPlainProduct({ kind, layout, uses, mixed, nested, tensor }: Site): boolean {
  if (kind !== 'linear' || mixed || nested || layout.split !== 1 || tensor.dims.length !== 2) return false;
  if (tensor.dtype !== 'float32') return false;
  return uses.every(({ node, index }) => {
    if (index !== 1) return false;
    if (node.opType === 'MatMul') return true;
    return node.int('transA', 0) === 0 && node.float('alpha', 1) === 1 && node.float('beta', 1) === 1;
  });
}

/** Puts a product in the place of a MatMul or Gemm, with the Gemm's bias added. */
export function replaceProduct(graph: Graph, node: Node, product: Value): void {
  const bias = node.opType === 'Gemm' ? node.inputs[2] : undefined;
  replaceNode(graph, node, bias ? graph.op('Add', [product, bias]) : product);
}

/** Puts a value in the place of a node's output; the node that makes it takes over the name. */
export function replaceNode(graph: Graph, node: Node, output: Value): void {
  output.producer!.name = node.name;
  graph.replaceUses(node.output, output);
  node.name = '';
  graph.remove(node);
}

/** The domain of the operators that ONNX Runtime has beyond ONNX. */
export const MICROSOFT = 'com.microsoft';
