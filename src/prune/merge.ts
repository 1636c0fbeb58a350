import { cloneGraph, cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import { allValues } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';

export interface Merged {
  /** Both models, reading the same inputs; its outputs are those of the first. */
  readonly model: Model;
  /** Where a value of each model is in it. */
  readonly first: (value: Value) => Value;
  readonly second: (value: Value) => Value;
}

/** Puts two versions of one model side by side, so that one run shows what both do with the same inputs. */
export function mergeModels(a: Model, b: Model): Merged {
  const values = new Map<Value, Value>();
  const model = cloneModel(a, values);
  const { graph } = model;
  const inputs = new Map(b.graph.inputs.map((input, i) => [input, graph.inputs[i]!]));
  const others = new Map(inputs);
  const guest = cloneGraph(b.graph, others);
  const host = new Set(graph.inputs);
  for (const value of allValues(guest)) if (!host.has(value)) value.name = graph.freshName(value.name);
  for (const value of guest.initializers) if (!host.has(value)) graph.adopt(value);
  for (const node of guest.nodes) {
    // Runtimes refuse two nodes of one name.
    node.name = '';
    graph.insert(node);
  }
  // A clone of a model has what the models declare; the second may use more.
  for (const [domain, version] of b.opsets) if (!model.opsets.has(domain)) model.opsets.set(domain, version);
  return { model, first: value => values.get(value)!, second: value => others.get(value)! };
}
