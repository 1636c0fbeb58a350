import type { Graph } from '../../graph/graph.js';
import type { Value } from '../../graph/value.js';
import { BLOCKED_DOMAIN } from './operators.js';

/** Lets blocked convolutions add what is added to their results: Conv, Add → Conv. */
export function fuseSums(graph: Graph): void {
  for (const node of [...graph.nodes]) {
    if (node.opType !== 'Add' || node.domain !== '' || graph.isOutput(node.output)) continue;
    const [left, right] = node.inputs as [Value, Value];
    if (
      left === right ||
      left.fixedShape === undefined ||
      left.fixedShape.join() !== right.fixedShape?.join()
    )
      continue;
    const [own, other] = isFusible(left, graph) ? [left, right] : [right, left];
    if (!isFusible(own, graph)) continue;
    const conv = own.producer!;
    const [x, filter, bias = null] = conv.inputs;
    conv.setInputs([x!, filter!, bias, other]);
    graph.replaceUses(node.output, own);
    graph.remove(node);
  }
  graph.sort();
}

function isFusible(value: Value, graph: Graph): boolean {
  const node = value.producer;
  if (node?.domain !== BLOCKED_DOMAIN || node.opType !== 'Conv' || graph.isOutput(value)) return false;
  return value.uses.size === 1 && !node.inputs[3] && !node.attributes.has('activation');
}
