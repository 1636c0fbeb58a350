import { WhittleError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import { passes } from './convert.js';

/**
 * The values between a graph's inputs and outputs: what its nodes compute, constants and outputs left out. Values
 * inside subgraphs are not among them; ONNX cannot hand those out.
 */
export function intermediates(graph: Graph): Value[] {
  const values: Value[] = [];
  for (const node of graph.nodes) {
    if (node.opType === 'Constant' && node.domain === '') continue;
    for (const value of node.outputs) if (value && !graph.isOutput(value)) values.push(value);
  }
  return values;
}

/**
 * The values that `expose` names; the model's own outputs are left out, for they can be fetched anyway.
 * @throws WhittleError for a name that no node of the graph computes
 */
export function exposedValues(model: Model, expose: readonly string[] | 'all'): Value[] {
  const { graph } = model;
  const values = intermediates(graph);
  if (expose === 'all') return values.filter(mayPass);
  const known = new Map(values.map(value => [value.name, value]));
  const outputs = new Set(graph.outputs.map(output => output.name));
  const found: Value[] = [];
  for (const name of new Set(expose)) {
    if (outputs.has(name)) continue;
    const value = known.get(name);
    if (!value) {
      throw new WhittleError('there is no such intermediate value to expose', {
        ...(model.path !== undefined && { file: model.path }),
        value: name,
        hint: 'It must be the output of a node outside of subgraphs; read inputs and constants from the graph',
      });
    }
    found.push(value);
  }
  return found;
}

/** Whether JavaScript can hold a value, as far as its type is known. */
export function mayPass(value: Value): boolean {
  if (value.type && value.type.kind !== 'tensor') return false;
  return value.dtype === undefined || passes(value.dtype);
}

/** Calls `encode` while the graph has further outputs; afterwards it is as before. */
export function withOutputs<T>(graph: Graph, values: readonly Value[], encode: () => T): T {
  const count = graph.outputs.length;
  graph.outputs.push(...values);
  try {
    return encode();
  } finally {
    graph.outputs.length = count;
  }
}
