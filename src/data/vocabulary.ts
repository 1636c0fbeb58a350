import { Graph } from '../graph/graph.js';
import type { Value } from '../graph/value.js';

/** Ops that hand token ids on without changing their values. */
const PASSING = new Set([
  'Cast',
  'Identity',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
  'Transpose',
  'Slice',
]);

/**
 * How many token ids a model knows: the rows of the embedding table that a `Gather` picks with the ids of an
 * input, the smallest where there are several.
 * @returns undefined where no such table is found
 */
export function vocabularySize(graph: Graph, input: string): number | undefined {
  const start = graph.inputs.find(value => value.name === input);
  if (!start) return undefined;
  const seen = new Set<Value>([start]);
  let smallest: number | undefined;
  for (const value of seen) {
    for (const node of value.consumers) {
      if (PASSING.has(node.opType) && node.inputs[0] === value) {
        const output = node.outputs[0];
        if (output) seen.add(output);
      }
      const embeds = node.opType.startsWith('Gather') && node.inputs[1] === value;
      if (!embeds || node.int('axis', 0) !== 0) continue;
      const rows = Graph.constantOf(node.inputs[0])?.dims[0] ?? node.inputs[0]?.shape?.[0];
      if (typeof rows === 'number') smallest = Math.min(smallest ?? rows, rows);
    }
  }
  return smallest;
}
