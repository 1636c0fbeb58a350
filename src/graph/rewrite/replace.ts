import { WhittleError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Value } from '../value.js';

/**
 * Puts other values in the place of a node's outputs and removes the node. Where an output of the node is one of the
 * graph, its name stays.
 * @param values one for each output; `null` for one that nothing uses
 * @throws WhittleError where the node is in no graph, or an output in use gets no replacement
 */
export function replaceNode(node: Node, ...values: readonly (Value | null)[]): void {
  const graph = graphOf(node);
  node.outputs.forEach((output, i) => {
    const value = values[i];
    if (!output || !value) return;
    if (value.producer === node) {
      throw new WhittleError('a node cannot be replaced by its own output', {
        node: node.label,
        value: value.name,
      });
    }
    graph.replaceUses(output, value);
  });
  graph.remove(node);
}

/**
 * Inserts nodes on one edge: `build` gets the value that the consumer reads now and returns the one to read instead.
 * @returns the new value
 */
export function insertOnEdge(consumer: Node, input: number, build: (value: Value) => Value): Value {
  const value = consumer.inputs[input];
  if (!value) throw new WhittleError(`${consumer.opType} has no input ${input}`, { node: consumer.label });
  const inserted = build(value);
  consumer.setInput(input, inserted);
  return inserted;
}

/**
 * Inserts nodes behind a value: all that used it, and the graph's outputs, use what `build` makes of it.
 * @returns the new value
 */
export function insertAfter(graph: Graph, value: Value, build: (value: Value) => Value): Value {
  const readers = [...value.uses.keys()];
  const inserted = build(value);
  if (inserted === value) return value;
  // The new nodes read the old value themselves and must go on doing so.
  const added = [...value.uses.keys()].filter(node => !readers.includes(node));
  const inputs = added.map(node => [...node.inputs]);
  graph.replaceUses(value, inserted);
  added.forEach((node, i) => {
    node.setInputs(inputs[i]!);
  });
  return inserted;
}

function graphOf(node: Node): Graph {
  if (node.graph) return node.graph;
  throw new WhittleError(`${node.opType} is in no graph`, { node: node.label });
}
