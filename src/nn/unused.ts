import type { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import type { Value } from '../graph/value.js';

/** Removes what neither the graph's outputs nor `kept` need: nodes, and constants that nothing uses. */
export function removeUnused(graph: Graph, kept: Iterable<Value> = []): void {
  const needed = new Set<Node>();
  const waiting: (Value | null)[] = [...graph.outputs, ...kept];
  while (waiting.length > 0) {
    const node = waiting.pop()?.producer;
    if (!node || node.graph !== graph || needed.has(node)) continue;
    needed.add(node);
    waiting.push(...node.inputs);
    for (const subgraph of node.subgraphs) {
      waiting.push(...subgraph.outputs);
      for (const inner of subgraph.allNodes()) waiting.push(...inner.inputs);
    }
  }
  // First all let go of their inputs: they may use each other, in any order.
  const unneeded = [...graph.nodes].filter(node => !needed.has(node));
  for (const node of unneeded) node.setInputs([]);
  for (const node of unneeded) graph.remove(node);
  const roots = new Set([...graph.outputs, ...kept]);
  for (const value of graph.initializers) {
    if (value.uses.size === 0 && !roots.has(value)) graph.initializers.delete(value);
  }
}
