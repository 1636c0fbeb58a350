import type { Attribute } from '../attribute.js';
import { Graph } from '../graph.js';
import { Model } from '../model.js';
import { Node, type NodeInput } from '../node.js';
import { Value } from '../value.js';

/** A copy, and where everything of the original went. */
export interface Cloned<T> {
  readonly copy: T;
  /** The copy of a value; the value itself where it lies outside of what was copied. */
  valueOf(original: Value): Value;
  nodeOf(original: Node): Node;
}

/** Copies a model's structure: graphs, nodes and values are new, tensors are shared (they never change). */
export function cloneModel(model: Model): Cloned<Model> {
  const cloner = new Cloner();
  const copy = new Model(cloner.graph(model.graph));
  copy.irVersion = model.irVersion;
  copy.opsets = new Map(model.opsets);
  copy.functions = model.functions.map(definition => ({
    ...definition,
    opsets: new Map(definition.opsets),
    graph: cloner.graph(definition.graph),
  }));
  copy.metadata = new Map(model.metadata);
  copy.producerName = model.producerName;
  copy.producerVersion = model.producerVersion;
  copy.domain = model.domain;
  copy.modelVersion = model.modelVersion;
  copy.docString = model.docString;
  copy.path = model.path;
  copy.extra = model.extra;
  return { copy, valueOf: v => cloner.valueOf(v), nodeOf: n => cloner.nodeOf(n) };
}

/** Copies a graph with its subgraphs. A subgraph keeps reading the values of the graphs around it. */
export function cloneGraph(graph: Graph): Cloned<Graph> {
  const cloner = new Cloner();
  const copy = cloner.graph(graph);
  return { copy, valueOf: v => cloner.valueOf(v), nodeOf: n => cloner.nodeOf(n) };
}

class Cloner {
  private readonly values = new Map<Value, Value>();
  private readonly nodes = new Map<Node, Node>();

  valueOf(original: Value): Value {
    return this.values.get(original) ?? original;
  }

  nodeOf(original: Node): Node {
    return this.nodes.get(original) ?? original;
  }

  graph(original: Graph): Graph {
    const copy = new Graph(original.name);
    copy.extra = original.extra;
    copy.reserveNames(original.names());
    copy.inputs.push(...original.inputs.map(value => this.value(value)));
    for (const value of original.initializers) copy.adopt(this.value(value));
    // All outputs first: nodes may stand in any order, and subgraphs may read what comes later.
    for (const node of original.nodes) for (const output of node.outputs) if (output) this.value(output);
    for (const node of original.nodes) copy.insert(this.node(node));
    copy.outputs.push(...original.outputs.map(value => this.valueOf(value)));
    return copy;
  }

  private value(original: Value): Value {
    const known = this.values.get(original);
    if (known) return known;
    const copy = new Value(original.name, original.type);
    copy.initializer = original.initializer;
    copy.declared = original.declared;
    copy.extra = original.extra;
    this.values.set(original, copy);
    return copy;
  }

  private node(original: Node): Node {
    const attributes = [...original.attributes].map(([name, attribute]) => [name, this.attribute(attribute)]);
    const inputs = original.inputs.map((value): NodeInput => value && this.valueOf(value));
    const outputs = original.outputs.map(value => value && this.valueOf(value));
    const copy = new Node(original.opType, inputs, outputs, {
      attributes: Object.fromEntries(attributes),
      domain: original.domain,
      name: original.name,
      overload: original.overload,
    });
    copy.extra = original.extra;
    this.nodes.set(original, copy);
    return copy;
  }

  private attribute(attribute: Attribute): Attribute {
    if (attribute.type === 'graph') return { ...attribute, value: this.graph(attribute.value) };
    if (attribute.type === 'graphs') {
      return { ...attribute, value: attribute.value.map(graph => this.graph(graph)) };
    }
    return attribute;
  }
}
