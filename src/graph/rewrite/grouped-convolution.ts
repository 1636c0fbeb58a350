import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import { Tensor } from '../tensor.js';
import { tensorType, type Value } from '../value.js';

/** Elements of a shader's vectors. */
const VECTOR = 4;

/**
 * Fills the groups of grouped convolutions up to whole vectors, and takes the surplus channels away again. ONNX
 * Runtime's WebGPU provider (1.30) computes two or four output channels at a time where all of them together allow it,
 * although a group of 5, 6, 7, 9, … ends in the middle of a vector: it then gives wrong numbers.
 * @returns how many were found
 */
export function alignGroups(graph: Graph): number {
  let found = 0;
  for (const node of [...graph.nodes]) if (align(graph, node)) found++;
  return found;
}

function align(graph: Graph, node: Node): boolean {
  if (node.opType !== 'Conv' || node.domain !== '') return false;
  const groups = node.int('group', 1);
  const [x, weight, bias] = node.inputs;
  const outputs = weight?.shape?.[0];
  if (!x || !weight || typeof outputs !== 'number' || groups === 1) return false;
  const size = outputs / groups;
  const vector = outputs % VECTOR === 0 ? VECTOR : outputs % 2 === 0 ? 2 : 1;
  if (size < VECTOR || size % vector === 0) return false;

  const filled = VECTOR * Math.ceil(size / VECTOR);
  // What fills a group is its last filter, once more: any numbers will do.
  const filling = indices(
    graph,
    groups * filled,
    i => Math.floor(i / filled) * size + Math.min(i % filled, size - 1),
  );
  const kept = indices(graph, outputs, i => Math.floor(i / size) * filled + (i % size));
  const gather = (value: Value, picked: Value, axis: number): Value => {
    const result = graph.op('Gather', [value, picked], { axis }, { name: nameOf(graph, node, 'Gather') });
    const dims = value.shape?.map((dim, i) => (i === axis ? picked.shape![0]! : dim));
    if (dims && value.dtype) result.type = tensorType(value.dtype, dims);
    return result;
  };
  const widened = [x, gather(weight, filling, 0), ...(bias ? [gather(bias, filling, 0)] : [])];
  const wide = graph.op('Conv', widened, {}, { name: nameOf(graph, node, 'Conv') });
  for (const [name, attribute] of node.attributes) wide.producer!.attributes.set(name, attribute);
  const dims = node.output.shape?.map((dim, i) => (i === 1 ? groups * filled : dim));
  if (dims && node.output.dtype) wide.type = tensorType(node.output.dtype, dims);
  const result = gather(wide, kept, 1);
  result.type ??= node.output.type;
  graph.replaceUses(node.output, result);
  graph.remove(node);
  return true;
}

const nameOf = (graph: Graph, node: Node, opType: string): string =>
  graph.freshName(`${node.label}/${opType}`);

const indices = (graph: Graph, count: number, at: (i: number) => number): Value =>
  graph.constant(Tensor.int64(Array.from({ length: count }, (_, i) => at(i))));
