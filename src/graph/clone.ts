import type { Attribute } from './attribute.js';
import { Graph } from './graph.js';
import { type FunctionDefinition, Model } from './model.js';
import { Node, type NodeInput } from './node.js';
import { Value } from './value.js';

export interface CloneOptions {
  /** Says what an attribute becomes; `undefined` leaves it out. Attributes that hold graphs are cloned anyway. */
  readonly attribute?: (attribute: Attribute) => Attribute | undefined;
}

/**
 * A deep copy of a graph's structure; tensors are shared, for they do not change. Values of graphs around it that it
 * captures stay the same values. `values` receives each old value with its copy.
 */
export function cloneGraph(
  graph: Graph,
  values: Map<Value, Value> = new Map(),
  options: CloneOptions = {},
): Graph {
  const copy = new Graph(graph.name);
  copy.extra = graph.extra;
  const map = (value: Value): Value => {
    const known = values.get(value);
    if (known) return known;
    const clone = new Value(value.name, value.type);
    clone.declared = value.declared;
    clone.initializer = value.initializer;
    clone.extra = value.extra;
    values.set(value, clone);
    copy.reserveNames([clone.name]);
    return clone;
  };
  for (const input of graph.inputs) copy.inputs.push(map(input));
  for (const value of graph.initializers) copy.initializers.add(map(value));
  // Outputs first: nodes may stand in any order.
  for (const node of graph.nodes) for (const output of node.outputs) if (output) map(output);
  for (const node of graph.nodes) copy.insert(cloneNode(node, map, values, options));
  for (const output of graph.outputs) copy.outputs.push(values.get(output) ?? output);
  return copy;
}

function cloneNode(
  node: Node,
  map: (value: Value) => Value,
  values: Map<Value, Value>,
  options: CloneOptions,
): Node {
  const inputs = node.inputs.map((input): NodeInput => (input ? (values.get(input) ?? input) : null));
  const outputs = node.outputs.map(output => (output ? map(output) : null));
  const copy = new Node(node.opType, inputs, outputs, {
    domain: node.domain,
    name: node.name,
    overload: node.overload,
  });
  copy.gradientRule = node.gradientRule;
  copy.extra = node.extra;
  for (const [name, attribute] of node.attributes) {
    const cloned = cloneAttribute(attribute, values, options);
    if (cloned) copy.attributes.set(name, cloned);
  }
  return copy;
}

function cloneAttribute(
  attribute: Attribute,
  values: Map<Value, Value>,
  options: CloneOptions,
): Attribute | undefined {
  if (attribute.type === 'graph') {
    return { ...attribute, value: cloneGraph(attribute.value, values, options) };
  }
  if (attribute.type === 'graphs') {
    return { ...attribute, value: attribute.value.map(graph => cloneGraph(graph, values, options)) };
  }
  return options.attribute ? options.attribute(attribute) : attribute;
}

/**
 * A copy of a model that can be edited without touching the first; tensors are shared. `values` receives each old value
 * with its copy.
 */
export function cloneModel(model: Model, values: Map<Value, Value> = new Map()): Model {
  const copy = new Model(cloneGraph(model.graph, values));
  copy.irVersion = model.irVersion;
  copy.opsets = new Map(model.opsets);
  copy.functions = model.functions.map(definition => cloneFunction(definition, values));
  copy.metadata = new Map(model.metadata);
  copy.producerName = model.producerName;
  copy.producerVersion = model.producerVersion;
  copy.domain = model.domain;
  copy.modelVersion = model.modelVersion;
  copy.docString = model.docString;
  copy.path = model.path;
  copy.extra = model.extra;
  return copy;
}

const cloneFunction = (definition: FunctionDefinition, values: Map<Value, Value>): FunctionDefinition => ({
  ...definition,
  attributeDefaults: new Map(definition.attributeDefaults),
  opsets: new Map(definition.opsets),
  graph: cloneGraph(definition.graph, values),
});

/**
 * The body of a model-local function as a graph of its own, its attribute references replaced by what the call or
 * the defaults give.
 */
export function instantiate(definition: FunctionDefinition, call: Node): Graph {
  return cloneGraph(definition.graph, new Map(), {
    attribute(attribute) {
      if (attribute.type !== 'reference') return attribute;
      return call.attributes.get(attribute.value) ?? definition.attributeDefaults.get(attribute.value);
    },
  });
}
