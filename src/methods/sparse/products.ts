import type { Node } from '../../graph/node.js';
import type { Value } from '../../graph/value.js';
import type { Network } from '../../nn/network.js';
import type { Parameter } from '../../nn/parameter.js';
import { givesOutput, seesInput } from '../factorized/select.js';

/** A convolution, matrix product or recurrent layer that reads parameters. */
export interface Product {
  /** Outside of subgraphs: the operator itself, or the one whose subgraph it stands in. */
  readonly node: Node;
  /** What its weight is made of, whether that is one parameter or, say, the product of two. */
  readonly parameters: readonly Parameter[];
  /** What the weight is multiplied by; `undefined` where it stands in a subgraph, or multiplies other weights. */
  readonly input: Value | undefined;
}

/** The inputs of operators that sum over weights which may be weights. */
const OPERANDS: Readonly<Record<string, readonly number[]>> = {
  Conv: [1],
  ConvTranspose: [1],
  Einsum: [0, 1, 2],
  GRU: [1, 2],
  Gemm: [0, 1],
  LSTM: [1, 2],
  MatMul: [0, 1],
  RNN: [1, 2],
};

/** Operators that only give a tensor another form. */
const LAYOUT = new Set(['Cast', 'Flatten', 'Identity', 'Reshape', 'Squeeze', 'Transpose', 'Unsqueeze']);

/**
 * The products that the network's outputs are computed by, in the order of computation. Quantizers, masks and the like
 * may stand between a parameter and the product that reads it.
 */
export function productsOf(network: Network): readonly Product[] {
  const { graph } = network;
  const known = [...network.parameters.values()];
  const needed = upstream(graph.outputs);
  const data = downstream(graph.inputs);
  const products: Product[] = [];
  graph.sort();
  for (const node of graph.nodes) {
    if (!needed.nodes.has(node)) continue;
    for (const inner of [node, ...innerNodes(node)]) {
      const operands = inner.domain === '' ? OPERANDS[inner.opType] : undefined;
      const weights = (operands ?? []).flatMap(i => {
        const value = inner.inputs[i];
        return value && !data.has(value) ? [value] : [];
      });
      const made = upstream(weights).values;
      const parameters = known.filter(({ value }) => made.has(value));
      if (parameters.length === 0) continue;
      const input = inner === node ? node.inputs.find(value => value && data.has(value)) : undefined;
      products.push({ node, parameters, input: input ?? undefined });
    }
  }
  return products;
}

/** Parameters that the network's outputs depend on: what an export holds, without teachers and peers beside it. */
export function outputParameters(network: Network): readonly Parameter[] {
  const { values } = upstream(network.graph.outputs);
  return [...network.parameters.values()].filter(({ value }) => values.has(value));
}

/**
 * The products that see the input with no layer in between; a table of embeddings is a layer. Factors that follow one
 * another are one layer.
 */
export function firstProducts(network: Network, products: readonly Product[]): ReadonlySet<Product> {
  const layers = new Set(products.flatMap(({ node }) => node.outputs.filter(value => value !== null)));
  for (const { kind, value } of network.parameters.values()) {
    if (kind !== 'embedding') continue;
    for (const { opType, outputs } of value.consumers) if (opType === 'Gather') layers.add(outputs[0]!);
  }
  const first = new Set(products.filter(({ input }) => input && seesInput(input, layers)));
  for (const product of products) {
    const before = factorBefore(product, products);
    if (before && first.has(before)) first.add(product);
  }
  return first;
}

/**
 * The products that give an output of the network; where an activation or a pooling comes after all of them, those that
 * no other product follows. Factors that follow one another are one layer.
 */
export function lastProducts(network: Network, products: readonly Product[]): ReadonlySet<Product> {
  const giving = products.filter(
    ({ node, input }) => input && node.outputs.some(value => value && givesOutput(network, value)),
  );
  const followed = upstream(products.flatMap(({ input }) => input ?? [])).nodes;
  const last = new Set(
    giving.length > 0 ? giving : products.filter(({ node, input }) => input && !followed.has(node)),
  );
  for (const product of [...products].reverse()) {
    const before = last.has(product) ? factorBefore(product, products) : undefined;
    if (before) last.add(before);
  }
  return last;
}

/** The product, without a bias, that nothing reads but this one, in whatever form: the other factor of its weight. */
function factorBefore({ node, input }: Product, products: readonly Product[]): Product | undefined {
  let value = input;
  const isOwn = (other: Value): boolean => other.consumers.length === 1 && !node.graph!.isOutput(other);
  while (value?.producer && isOwn(value) && LAYOUT.has(value.producer.opType))
    value = value.producer.inputs[0]!;
  const producer = value?.producer;
  if (!producer || !value || !isOwn(value) || !FACTOR.has(producer.opType) || producer.inputs[2]) return;
  return products.find(other => other.node === producer && other.input);
}

const FACTOR = new Set(['Conv', 'Gemm', 'MatMul']);

function* innerNodes(node: Node): Generator<Node> {
  for (const graph of node.subgraphs) yield* graph.allNodes();
}

/** Everything that values are computed from, themselves included. */
function upstream(values: readonly Value[]): { nodes: Set<Node>; values: Set<Value> } {
  const found = { nodes: new Set<Node>(), values: new Set<Value>() };
  const waiting = [...values];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    if (found.values.has(value)) continue;
    found.values.add(value);
    const node = value.producer;
    if (!node || found.nodes.has(node)) continue;
    found.nodes.add(node);
    for (const { inputs, subgraphs } of [node, ...innerNodes(node)]) {
      for (const input of inputs) if (input) waiting.push(input);
      for (const graph of subgraphs) waiting.push(...graph.outputs);
    }
  }
  return found;
}

/** Everything that depends on these values, themselves included. */
function downstream(values: readonly Value[]): Set<Value> {
  const found = new Set<Value>();
  const waiting = [...values];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    if (found.has(value)) continue;
    found.add(value);
    for (const node of value.consumers) {
      // What a subgraph captures, its owner depends on.
      for (let at: Node | null | undefined = node; at; at = at.graph?.owner) {
        for (const output of at.outputs) if (output) waiting.push(output);
        for (const graph of at.subgraphs) waiting.push(...graph.inputs);
      }
    }
  }
  return found;
}
