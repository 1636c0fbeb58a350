import { WhittleError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { SparseTensor } from '../graph/sparse.js';
import type { Value } from '../graph/value.js';
import { encodeAttribute } from './encode-attribute.js';
import { type ExternalPlaces, encodeSparse, encodeTensor } from './encode-tensor.js';
import { kept, listedTwice } from './leftovers.js';
import type { Message } from './schema.js';
import { Scope } from './scope.js';
import { encodeType } from './types.js';

/**
 * The message of a graph. Sorts its nodes, as files need them.
 * @param outer what the graphs around it define
 * @throws WhittleError where nodes form a cycle, two values share a name, or a value has no producer
 */
export function encodeGraph(graph: Graph, places: ExternalPlaces, outer?: Scope): Message<'GraphProto'> {
  graph.sort();
  const scope = defineAll(graph, outer);
  const { valueInfo: dangling = [], ...rest } = kept('GraphProto', graph);
  const message: Message<'GraphProto'> = { ...rest, name: graph.name };
  message.node = Array.from(graph.nodes, node => encodeNode(node, places, scope));
  message.initializer = [];
  message.sparseInitializer = [];
  for (const { name, initializer } of graph.initializers) {
    if (initializer instanceof SparseTensor) {
      message.sparseInitializer.push(encodeSparse(initializer, places, name));
    } else if (initializer) message.initializer.push(encodeTensor(initializer, places, name));
  }
  message.input = graph.inputs.map(encodeInfo);
  message.output = graph.outputs.map(output => {
    checkVisible(output, scope, `output "${output.name}" of graph "${graph.name}"`);
    return encodeInfo(output);
  });
  const ofInterface = new Set([...graph.inputs, ...graph.outputs]);
  const listed = [...ownValues(graph)].filter(value =>
    ofInterface.has(value) ? listedTwice.has(value) : value.declared || value.extra !== undefined,
  );
  message.valueInfo = [...listed.map(encodeInfo), ...dangling];
  return message;
}

/** Values that this graph itself defines: inputs, initializers, outputs of nodes. */
function* ownValues(graph: Graph): Generator<Value> {
  yield* new Set([...graph.inputs, ...graph.initializers]);
  for (const node of graph.nodes) for (const output of node.outputs) if (output) yield output;
}

function defineAll(graph: Graph, outer: Scope | undefined): Scope {
  const scope = new Scope(outer);
  for (const value of ownValues(graph)) {
    if (!scope.define(value)) {
      throw new WhittleError(`two values of graph "${graph.name}" have the same name`, {
        value: value.name,
        hint: 'Give new values their names with graph.freshName()',
      });
    }
  }
  return scope;
}

/** What is written is a name: it must lead back to this very value. */
function checkVisible(value: Value, scope: Scope, user: string): void {
  const found = scope.resolve(value.name);
  if (found === value) return;
  throw new WhittleError(
    found
      ? `${user} needs a value that another one of the same name hides`
      : `${user} needs a value that is neither input, initializer nor output of a node here`,
    { value: value.name },
  );
}

function encodeNode(node: Node, places: ExternalPlaces, scope: Scope): Message<'NodeProto'> {
  const message: Message<'NodeProto'> = {
    ...kept('NodeProto', node),
    input: node.inputs.map(input => {
      if (!input) return '';
      checkVisible(input, scope, `${node.opType} "${node.label}"`);
      return input.name;
    }),
    output: node.outputs.map(output => output?.name ?? ''),
    opType: node.opType,
    attribute: Array.from(node.attributes, ([name, attribute]) =>
      encodeAttribute(name, attribute, places, body => encodeGraph(body, places, scope)),
    ),
  };
  if (node.name) message.name = node.name;
  if (node.domain) message.domain = node.domain;
  if (node.overload) message.overload = node.overload;
  return message;
}

function encodeInfo(value: Value): Message<'ValueInfoProto'> {
  const message: Message<'ValueInfoProto'> = { ...kept('ValueInfoProto', value), name: value.name };
  if (value.declared && value.type) message.type = encodeType(value.type);
  return message;
}
