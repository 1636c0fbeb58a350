import { Graph } from '../graph.js';
import { Node } from '../node.js';
import { Tensor } from '../tensor.js';
import { tensorType, type Value } from '../value.js';

/**
 * Turns `Constant` nodes that hold a dense tensor into initializers, subgraphs included. The values stay the same, so
 * that names and uses do too. One that is an output of its graph stays a node.
 * @returns how many
 */
export function liftConstants(graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    for (const inner of node.subgraphs) count += liftConstants(inner);
    const value = node.outputs[0];
    const tensor = node.opType === 'Constant' && value ? Graph.constantOf(value) : undefined;
    if (!tensor || !value || graph.isOutput(value)) continue;
    becomeConstant(graph, value, tensor);
    count++;
  }
  return count;
}

/** Makes the output of a node a constant; the node, which must have no other output in use, goes. */
function becomeConstant(graph: Graph, value: Value, tensor: Tensor): void {
  const node = value.producer;
  if (node) {
    node.setInputs([]);
    graph.nodes.delete(node);
    node.graph = null;
  }
  value.producer = null;
  value.initializer = tensor;
  value.type = tensorType(tensor.dtype, tensor.dims);
  graph.adopt(value);
}

/**
 * The way back: initializers become `Constant` nodes, subgraphs included. Defaults of graph inputs and sparse ones
 * stay.
 * @returns how many
 */
export function lowerConstants(graph: Graph): number {
  let count = 0;
  const inputs = new Set(graph.inputs);
  for (const node of [...graph.nodes]) for (const inner of node.subgraphs) count += lowerConstants(inner);
  for (const value of [...graph.initializers]) {
    const tensor = value.initializer;
    if (!(tensor instanceof Tensor) || inputs.has(value)) continue;
    value.initializer = undefined;
    graph.initializers.delete(value);
    graph.insert(new Node('Constant', [], [value], { attributes: { value: tensor } }));
    count++;
  }
  graph.sort();
  return count;
}
