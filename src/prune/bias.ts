import type { Site } from '../calibrate/sites.js';
import { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { insertAfter } from '../graph/rewrite/index.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';

/** Whether a bias can be added to each output of a layer. */
export function readsBias({ uses }: Site): boolean {
  const { node, index } = uses[0]!;
  if (node.opType === 'Conv') return !node.inputs[2] || Graph.constantOf(node.inputs[2]) !== undefined;
  if (index !== 1) return false;
  if (node.opType === 'Gemm') {
    const plain = node.float('alpha', 1) === 1 && node.float('beta', 1) === 1;
    const bias = Graph.constantOf(node.inputs[2]);
    const vector = bias && (bias.dims.length <= 1 || (bias.dims.length === 2 && bias.dims[0] === 1));
    return plain && (!node.inputs[2] || Boolean(vector));
  }
  return node.opType === 'MatMul';
}

/** Adds a number to each output of a layer: to its bias, where it has one. */
export function addToBias(graph: Graph, site: Site, shift: Float64Array): void {
  const { node } = site.uses[0]!;
  if (node.opType === 'MatMul') {
    const bias = biasAfter(node, shift.length);
    if (bias) bias.reader.setInput(bias.at, shifted(graph, bias.reader.inputs[bias.at]!, shift));
    else {
      const added = newBias(graph, site, shift);
      insertAfter(graph, node.output, output => {
        const sum = graph.op('Add', [output, added]);
        sum.type = output.type;
        return sum;
      });
    }
  } else if (node.inputs[2]) node.setInput(2, shifted(graph, node.inputs[2], shift));
  else node.setInput(2, newBias(graph, site, shift));
}

/** The Add of a vector that alone reads a product. */
function biasAfter(node: Node, length: number): { reader: Node; at: number } | undefined {
  const [reader, ...others] = node.output.consumers;
  if (reader?.opType !== 'Add' || others.length > 0 || node.graph?.isOutput(node.output)) return undefined;
  const at = reader.inputs.findIndex(input => input !== node.output);
  const bias = Graph.constantOf(reader.inputs[at]);
  return bias?.dims.length === 1 && bias.dims[0] === length ? { reader, at } : undefined;
}

const newBias = (graph: Graph, { value }: Site, shift: Float64Array): Value =>
  graph.constant(
    Tensor.fromNumbers(Graph.constantOf(value)!.dtype, [shift.length], shift),
    `${value.name}.bias`,
  );

/** A new constant, for others may read the old one. */
function shifted(graph: Graph, value: Value, shift: Float64Array): Value {
  const bias = Graph.constantOf(value)!;
  const old = bias.toFloat64();
  const sum = shift.map((change, i) => change + old[old.length === 1 ? 0 : i]!);
  const dims = bias.dims.length === 2 ? [1, shift.length] : [shift.length];
  return graph.constant(Tensor.fromNumbers(bias.dtype, dims, sum), value.name);
}
