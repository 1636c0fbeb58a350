import type { Graph } from '../graph.js';
import type { Value } from '../value.js';

/**
 * Removes nodes whose outputs nothing uses, and constants that nothing uses, subgraphs included.
 * @returns how many of each went
 */
export function removeDead(graph: Graph): { nodes: number; constants: number } {
  const removed = { nodes: 0, constants: 0 };
  sweep(graph, outputsOf(graph), removed);
  return removed;
}

/** Outputs of a graph and of its subgraphs, which may hand out values from around them. */
function outputsOf(graph: Graph, found: Set<Value> = new Set()): Set<Value> {
  for (const output of graph.outputs) found.add(output);
  for (const node of graph.nodes) for (const inner of node.subgraphs) outputsOf(inner, found);
  return found;
}

function sweep(graph: Graph, kept: ReadonlySet<Value>, removed: { nodes: number; constants: number }): void {
  const isDead = (value: Value | null): boolean =>
    value === null || (value.uses.size === 0 && !kept.has(value));
  // In reverse order one pass finds whole chains.
  graph.sort();
  for (const node of [...graph.nodes].reverse()) {
    if (node.outputs.length > 0 && node.outputs.every(isDead)) {
      graph.remove(node);
      removed.nodes++;
    } else for (const inner of node.subgraphs) sweep(inner, kept, removed);
  }
  for (const value of [...graph.initializers]) {
    if (!isDead(value) || graph.inputs.includes(value)) continue;
    graph.initializers.delete(value);
    removed.constants++;
  }
}
