import type { Attribute } from '../attribute.js';
import { Graph } from '../graph.js';
import type { Node } from '../node.js';
import { OPS, type OpRegistry } from '../ops/index.js';
import type { Tensor } from '../tensor.js';
import type { Value } from '../value.js';

/**
 * Makes equal constants one, by dtype, shape and bytes; a subgraph takes the one of the graph around it. Weights are
 * read one or two at a time, and only those that another has the size of.
 * @returns bytes that are saved
 */
export function mergeConstants(graph: Graph): number {
  return mergeIn(graph, new Map());
}

/** Constants seen so far, by dtype and shape. */
type Seen = Map<string, { value: Value; tensor: Tensor; hash: number | undefined }[]>;

function mergeIn(graph: Graph, around: Seen): number {
  const seen: Seen = new Map([...around].map(([key, list]) => [key, [...list]]));
  let saved = 0;
  for (const value of constantsOf(graph)) {
    const tensor = Graph.constantOf(value)!;
    const key = `${tensor.dtype} ${tensor.dims.join(' ')}`;
    const list = seen.get(key) ?? [];
    seen.set(key, list);
    const own = { value, tensor, hash: undefined as number | undefined };
    const twin = list.find(other => equalTensors(own, other));
    if (!twin) {
      list.push(own);
      continue;
    }
    graph.replaceUses(value, twin.value);
    if (value.producer) graph.remove(value.producer);
    else graph.initializers.delete(value);
    saved += tensor.byteLength;
  }
  for (const node of graph.nodes) for (const inner of node.subgraphs) saved += mergeIn(inner, seen);
  return saved;
}

function constantsOf(graph: Graph): Value[] {
  const inputs = new Set(graph.inputs);
  const fixed = [...graph.initializers].filter(value => !inputs.has(value) && Graph.constantOf(value));
  const nodes = [...graph.nodes].filter(
    node => node.opType === 'Constant' && Graph.constantOf(node.outputs[0]),
  );
  return [...fixed, ...nodes.map(node => node.output)].filter(value => !graph.isOutput(value));
}

type Hashed = { tensor: Tensor; hash: number | undefined };

function equalTensors(a: Hashed, b: Hashed): boolean {
  if (a.tensor === b.tensor) return true;
  if (a.tensor.byteLength !== b.tensor.byteLength) return false;
  a.hash ??= hashOf(a.tensor);
  b.hash ??= hashOf(b.tensor);
  if (a.hash !== b.hash) return false;
  if (a.tensor.dtype === 'string') {
    const strings = b.tensor.stringBytes();
    return a.tensor.stringBytes().every((bytes, i) => equalBytes(bytes, strings[i]!));
  }
  return equalBytes(a.tensor.bytes(), b.tensor.bytes());
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}

/** FNV-1a, 32 bits: it only has to tell most different weights apart. */
function hashOf(tensor: Tensor): number {
  let hash = 0x811c9dc5;
  for (const bytes of tensor.dtype === 'string' ? tensor.stringBytes() : [tensor.bytes()]) {
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/**
 * Makes nodes one that compute the same from the same inputs (common subexpressions). Random operators, operators
 * that the registry does not know, and those with subgraphs or large tensors in attributes stay.
 * @returns how many nodes went
 */
export function mergeNodes(graph: Graph, registry: OpRegistry = OPS): number {
  const ids = new Map<Value, number>();
  const idOf = (value: Value): number => {
    if (!ids.has(value)) ids.set(value, ids.size);
    return ids.get(value)!;
  };
  const seen = new Map<string, Node>();
  let count = 0;
  graph.sort();
  for (const node of [...graph.nodes]) {
    for (const inner of node.subgraphs) count += mergeNodes(inner, registry);
    const definition = registry.of(node);
    const attributes = describeAttributes(node);
    if (!definition || definition.random || attributes === undefined || node.opType === 'Constant') continue;
    if (node.outputs.some(output => output && graph.isOutput(output))) continue;
    const inputs = node.inputs.map(input => (input ? idOf(input) : ''));
    const outputs = node.outputs.map(output => (output ? 1 : 0));
    const key = JSON.stringify([node.domain, node.opType, node.overload, inputs, outputs, attributes]);
    const twin = seen.get(key);
    if (!twin) {
      seen.set(key, node);
      continue;
    }
    node.outputs.forEach((output, i) => {
      if (output) graph.replaceUses(output, twin.outputs[i]!);
    });
    graph.remove(node);
    count++;
  }
  return count;
}

/** Attributes as plain data, `undefined` where one is too much to compare. */
function describeAttributes(node: Node): unknown[] | undefined {
  const described: unknown[] = [];
  for (const [name, attribute] of [...node.attributes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const value = describe(attribute);
    if (value === undefined) return undefined;
    described.push(name, attribute.type, value);
  }
  return described;
}

function describe(attribute: Attribute): unknown {
  switch (attribute.type) {
    case 'float':
    case 'int':
      return String(attribute.value);
    case 'floats':
    case 'ints':
      return attribute.value.map(String);
    case 'string':
      return [...attribute.value];
    case 'strings':
      return attribute.value.map(bytes => [...bytes]);
    case 'tensor': {
      const tensor = attribute.value;
      if (tensor.byteLength > 1024 || tensor.dtype === 'string') return undefined;
      return [tensor.dtype, tensor.dims, [...tensor.bytes()]];
    }
    default:
      return undefined;
  }
}
