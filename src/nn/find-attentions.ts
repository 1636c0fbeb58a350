import { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import type { Value } from '../graph/value.js';
import type { LinearLayer } from './layer.js';
import type { Network } from './network.js';

/** An attention as it is connected: the linear layers around softmax(q kᵀ) v, or around an operator for that. */
export interface FoundAttention {
  /** One layer may stand for two or all three of query, key and value. */
  readonly query: LinearLayer;
  readonly key: LinearLayer;
  readonly value: LinearLayer;
  readonly output: LinearLayer;
  /** (batch, heads, queries, headDim), or (batch · heads, queries, headDim). */
  readonly heads: Heads;
}

/** The three tensors that an attention multiplies, and how many numbers of a query a head has. */
export interface Heads {
  readonly parts: readonly [query: Value, key: Value, value: Value];
  readonly headDim: number | undefined;
  /** Whether the tensors have all heads side by side in their last dimension, which an operator then tells apart. */
  readonly packed: boolean;
}

/**
 * Finds attentions by how the recorded linear layers are connected: what leads to the two factors of the scores, to
 * the values that the softmax weighs, and on from the result. Whatever stands between (biases, masks, rotary positions,
 * normalized queries, a cache) does not matter; a projection that is no linear layer of its own does.
 */
export function findAttentions(network: Network): FoundAttention[] {
  const linears = [...network.layers.values()].filter(layer => layer.kind === 'linear');
  const byOutput = new Map(linears.map(layer => [layer.output, layer]));
  const found: FoundAttention[] = [];
  const scored = new Set<Node>();
  network.graph.sort();
  for (const node of network.graph.nodes) {
    const core = node.opType === 'Softmax' ? composedCore(node, scored) : operatorCore(node);
    if (!core) continue;
    const layers = core.heads.parts.map(part => single(sourcesOf(part, value => byOutput.get(value))));
    const output = single(readersOf(core.output, value => linears.filter(({ input }) => input === value)));
    const [query, key, value] = layers;
    if (query && key && value && output) found.push({ query, key, value, output, heads: core.heads });
  }
  return found;
}

interface Core {
  readonly heads: Heads;
  /** Of all heads, before the output projection. */
  readonly output: Value;
}

/** Operators that are an attention: what they take as query, key and value, and the attribute that counts heads. */
const OPERATORS: ReadonlyMap<string, string> = new Map([
  ['/Attention', 'q_num_heads'],
  ['com.microsoft/MultiHeadAttention', 'num_heads'],
  ['com.microsoft/GroupQueryAttention', 'num_heads'],
]);

function operatorCore(node: Node): Core | undefined {
  const countName = OPERATORS.get(`${node.domain}/${node.opType}`);
  const [query, key, value] = node.inputs;
  if (countName === undefined || !query || !key || !value) return undefined;
  const width = lastOf(query);
  const packed = query.shape?.length !== 4;
  const headDim = packed && width !== undefined ? width / node.int(countName, 1) : width;
  return { heads: { parts: [query, key, value], headDim, packed }, output: node.output };
}

/**
 * softmax(q kᵀ …) v of single operators, around its softmax.
 * @param scored products that are scores of attentions before, which may be added to those of this one; it joins them
 */
function composedCore(softmax: Node, scored: Set<Node>): Core | undefined {
  const products = sourcesOf(softmax.inputs[0]!, ({ producer }) => activationProduct(producer));
  const scores = single(new Set([...products].filter(node => !scored.has(node))));
  const weighed = single(
    readersOf(softmax.output, value =>
      value.consumers.filter(node => activationProduct(node) && node.inputs[0] === value),
    ),
  );
  if (!scores || !weighed) return undefined;
  scored.add(scores);
  const [query, key] = scores.inputs as [Value, Value];
  return {
    heads: { parts: [query, key, weighed.inputs[1]!], headDim: lastOf(query), packed: false },
    output: weighed.output,
  };
}

/** A product of two activations. */
const activationProduct = (node: Node | null): Node | undefined =>
  node &&
  node.domain === '' &&
  (node.opType === 'MatMul' || node.opType === 'Einsum') &&
  node.inputs.length === 2 &&
  node.inputs.every(input => input && !Graph.constantOf(input))
    ? node
    : undefined;

/** The size of the last dimension, where it is known. */
export const lastOf = (value: Value): number | undefined => {
  const last = value.shape?.at(-1);
  return typeof last === 'number' ? last : undefined;
};

const single = <T>(all: ReadonlySet<T>): T | undefined => (all.size === 1 ? [...all][0] : undefined);

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));

/** What moves or normalizes its first input; further inputs are shapes, indices and constants. */
const OF_FIRST = words(
  'Reshape Transpose Squeeze Unsqueeze Flatten Expand Tile Slice Split Gather Pad Cast Identity Dropout ' +
    'LayerNormalization SimplifiedLayerNormalization RMSNormalization RotaryEmbedding ReduceMean Pow Sqrt Neg',
);
/** What works on elements of all its inputs. */
const OF_ALL = words('Add Sub Mul Div Where Concat Max Min Clip Tanh');

const dataInputs = ({ opType, inputs }: Node): readonly (Value | null)[] =>
  OF_FIRST.has(opType) ? inputs.slice(0, 1) : OF_ALL.has(opType) ? inputs : [];

/** The first of their kind that a value is made of, on each way back. */
export function sourcesOf<T>(from: Value, match: (value: Value) => T | undefined): Set<T> {
  const found = new Set<T>();
  const seen = new Set<Value>();
  const waiting = [from];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    const source = match(value);
    if (source) found.add(source);
    else if (value.producer) {
      for (const input of dataInputs(value.producer)) if (input) waiting.push(input);
    }
  }
  return found;
}

/** What stands between the heads and the output projection, or between softmax and values. */
const ONWARDS = words(
  'Reshape Transpose Squeeze Unsqueeze Flatten Cast Identity Dropout Mul Div Where LayerNormalization ' +
    'SimplifiedLayerNormalization RMSNormalization',
);

/** The first of their kind that read a value, on each way on. */
function readersOf<T>(from: Value, match: (value: Value) => readonly T[]): Set<T> {
  const found = new Set<T>();
  const seen = new Set<Value>();
  const waiting = [from];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    const readers = match(value);
    for (const reader of readers) found.add(reader);
    if (readers.length > 0) continue;
    for (const { opType, outputs } of value.consumers) {
      if (ONWARDS.has(opType) && outputs[0]) waiting.push(outputs[0]);
    }
  }
  return found;
}

/** The nodes between a value and the output of the layer that it comes from. */
export function nodesBetween(part: Value, { output }: LinearLayer): Set<Node> {
  const nodes = new Set<Node>();
  sourcesOf(part, value => {
    if (value === output) return value;
    if (value.producer && dataInputs(value.producer).length > 0) nodes.add(value.producer);
    return undefined;
  });
  return nodes;
}
