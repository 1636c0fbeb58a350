import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Value } from '../../graph/value.js';
import { rowInputs } from './row-wise.js';

/**
 * Groups of nodes whose rows do not depend on one another, each in topological order. A group can be computed as one
 * node: no path leaves it and comes back, neither does any go round through several groups.
 * @param graph sorted
 */
export function rowChains(graph: Graph): Set<Node>[] {
  const chains = new Map<Node, Set<Node>>();
  for (const node of graph.nodes) if (rowInputs(node)) chains.set(node, new Set([node]));
  // From the end, so that what a gradient needs anew is computed beside it, not kept from the forward pass.
  for (const node of [...chains.keys()].reverse()) {
    for (const reader of readersOf(node)) {
      const [from, to] = [chains.get(node)!, chains.get(reader)];
      if (!to || from === to || isDetour(from, to, chains)) continue;
      for (const other of to) chains.set(other, from.add(other));
    }
  }
  const order = new Map([...graph.nodes].map((node, i) => [node, i]));
  return [...new Set(chains.values())].map(
    chain => new Set([...chain].sort((a, b) => order.get(a)! - order.get(b)!)),
  );
}

const readersOf = (node: Node): Node[] =>
  node.outputs.flatMap(output => (output ? readers(output, node) : []));

/** The nodes beside its producer that read a value, those included whose bodies do. */
function readers(value: Value, { graph }: Node): Node[] {
  return value.consumers.map(reader => {
    let node = reader;
    while (node.graph !== graph) node = node.graph!.owner!;
    return node;
  });
}

/** Whether something else stands on a path between two groups, or one needs the other's results whole. */
function isDetour(
  from: ReadonlySet<Node>,
  to: ReadonlySet<Node>,
  chains: ReadonlyMap<Node, ReadonlySet<Node>>,
): boolean {
  const seen = new Set<Node>(from);
  const waiting: Node[] = [];
  for (const node of from) {
    for (const reader of readersOf(node)) {
      if (!to.has(reader)) waiting.push(reader);
      else if (rowInputs(reader)!.every(input => input.producer !== node)) return true;
    }
  }
  while (waiting.length > 0) {
    const node = waiting.pop()!;
    if (to.has(node)) return true;
    if (seen.has(node)) continue;
    for (const member of chains.get(node) ?? [node]) {
      seen.add(member);
      waiting.push(...readersOf(member));
    }
  }
  return false;
}
