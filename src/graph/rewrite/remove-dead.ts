import type { Graph } from '../graph.js';
import type { Node } from '../node.js';

/**
 * Removes what the outputs do not depend on: nodes none of whose outputs is used, and constants without a use, in the
 * graph and its subgraphs. Inputs stay, for they are the interface.
 * @returns how many nodes and constants went
 */
export function removeDead(graph: Graph): number {
  let removed = 0;
  const isDead = (node: Node) =>
    node.outputs.every(output => !output || (output.uses.size === 0 && !graph.isOutput(output)));
  // Backwards, so that what feeds only dead nodes is seen after them; a node freed out of order is queued again.
  const queue = [...graph.nodes];
  for (let node = queue.pop(); node; node = queue.pop()) {
    if (!graph.nodes.has(node) || !isDead(node)) continue;
    const producers = [node, ...innerNodes(node)].flatMap(n => n.inputs.map(input => input?.producer));
    graph.remove(node);
    removed++;
    for (const producer of producers) if (producer?.graph === graph) queue.push(producer);
  }
  for (const node of graph.nodes) for (const inner of node.subgraphs) removed += removeDead(inner);
  for (const value of graph.initializers) {
    if (value.uses.size > 0 || graph.isOutput(value) || graph.inputs.includes(value)) continue;
    graph.initializers.delete(value);
    removed++;
  }
  return removed;
}

const innerNodes = (node: Node): Node[] => node.subgraphs.flatMap(graph => [...graph.allNodes()]);
