import { WhittleError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { Value } from '../value.js';

/** All values of a graph and of its subgraphs. */
export function* allValues(graph: Graph): Generator<Value> {
  yield* graph.inputs;
  for (const value of graph.initializers) if (!graph.inputs.includes(value)) yield value;
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) yield output;
    for (const inner of node.subgraphs) yield* allValues(inner);
  }
}

/**
 * Gives values new names, all at once, so that two can swap theirs.
 * @throws WhittleError where a name is empty, or another value of the model has it; then nothing is renamed
 */
export function renameValues(graph: Graph, names: ReadonlyMap<Value, string>): void {
  const wanted = new Map<string, Value>();
  for (const [value, name] of names) {
    if (name === '') throw new WhittleError('a value needs a name', { value: value.name });
    if (wanted.has(name)) throw new WhittleError('two values cannot have one name', { value: name });
    wanted.set(name, value);
  }
  for (const value of allValues(graph.root)) {
    if (wanted.has(value.name) && !names.has(value)) {
      throw new WhittleError('another value has that name', { value: value.name });
    }
  }
  for (const [value, name] of names) value.name = name;
  graph.reserveNames(wanted.keys());
}

/** As `renameValues`, for one. */
export const renameValue = (graph: Graph, value: Value, name: string): void =>
  renameValues(graph, new Map([[value, name]]));
