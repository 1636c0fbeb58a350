import { Graph } from '../../graph.js';
import type { Node } from '../../node.js';

/** The operators that lay filters out for pairs, in their order, and the axes of the third. */
const LAYOUT = ['MatMul', 'Reshape', 'Transpose', 'Reshape'];
export const LAYOUT_AXES: readonly number[] = [3, 0, 5, 1, 2, 4];

/** The convolution whose filters a node begins to lay out for columns in pairs; `undefined` for any other node. */
export function pairedConvolution(node: Node): Node | undefined {
  if (!Graph.constantOf(node.inputs[1])) return undefined;
  let at = node;
  for (const opType of LAYOUT) {
    if (at.opType !== opType || at.domain !== '') return undefined;
    if (opType === 'Transpose' && at.ints('perm', []).join() !== LAYOUT_AXES.join()) return undefined;
    const [reader, ...others] = at.output.consumers;
    if (!reader || others.length > 0) return undefined;
    at = reader;
  }
  return at.opType === 'Conv' ? at : undefined;
}
