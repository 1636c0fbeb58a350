import { typedBuilder } from '../../graph/autodiff/index.js';
import { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import type { Node } from '../../graph/node.js';
import type { Builder } from '../../graph/ops/builder.js';
import { sizeOf } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';

export interface TileOptions {
  /** Tensors of fewer bytes stay in a core's cache as they are; default 2 MiB. */
  readonly smallest?: number;
  /** Bytes of a tile; default 384 KiB: the handful of tensors that a chain works on then fits into a core's second cache. */
  readonly tile?: number;
}

/** Reading and writing a tile takes this share of the time that it takes with a tensor in memory. */
const CACHED = 1 / 3;
/** The share of the traffic from which on tiles do not pay. */
const WORTHWHILE = 0.8;

const ELEMENTWISE = new Set(
  'Abs Add Div Erf Exp HardSigmoid Mul Neg Reciprocal Sigmoid Sqrt Sub Tanh'.split(' '),
);
const REDUCTIONS = new Set(['ReduceMean', 'ReduceSum']);

/**
 * Computes chains of passes over large tensors, such as the gradient of GELU, tile after tile along the first axis, in
 * place. ONNX Runtime runs one operator after the other, each over the whole tensor, so that what one wrote has left
 * the cache before the next reads it. The numbers are the same.
 * @returns how many chains were tiled
 */
export function tileRows(
  model: Model,
  { smallest = 2 << 20, tile: size = 384 << 10 }: TileOptions = {},
): number {
  const limits = { smallest, size };
  const { graph } = model;
  graph.sort();
  const chains = chainsOf(graph).filter(chain => pays(chain, limits));
  if (chains.length === 0) return 0;
  const b = typedBuilder(model);
  b.scope = 'tiles/';
  for (const chain of chains) tile(b, chain, tilesOf(chain, limits)!);
  graph.sort();
  return chains.length;
}

interface Limits {
  readonly smallest: number;
  readonly size: number;
}

/** Nodes in topological order whose rows do not depend on one another. */
type Chain = ReadonlySet<Node>;

/** Nodes joined by values that nothing else reads. */
function chainsOf(graph: Graph): Chain[] {
  const chains = new Map<Node, Set<Node>>();
  for (const node of graph.nodes) if (isRowWise(node)) chains.set(node, new Set([node]));
  for (const node of [...chains.keys()]) {
    const { output } = node;
    if (graph.isOutput(output)) continue;
    const readers = output.consumers;
    if (!readers.every(reader => chains.has(reader) && rowsOf(reader.output) === rowsOf(output))) continue;
    for (const reader of readers) {
      const [from, to] = [chains.get(node)!, chains.get(reader)!];
      if (from === to) continue;
      for (const other of to) chains.set(other, from.add(other));
    }
  }
  const order = new Map([...graph.nodes].map((node, i) => [node, i]));
  return [...new Set(chains.values())].map(
    chain => new Set([...chain].sort((a, b) => order.get(a)! - order.get(b)!)),
  );
}

function isRowWise(node: Node): boolean {
  if (node.domain !== '' || node.outputs.length !== 1 || rowsOf(node.output) === undefined) return false;
  const [x, list] = node.inputs;
  if (ELEMENTWISE.has(node.opType)) return node.inputs.every(input => input && isFloat(input));
  if (!REDUCTIONS.has(node.opType) || node.int('keepdims', 1) !== 1 || !x || !isFloat(x)) return false;
  const axes = list ? Graph.constantOf(list)?.toNumbers() : node.ints('axes', []);
  const rank = x.fixedShape!.length;
  return rowsOf(x) !== undefined && Boolean(axes?.length) && axes!.every(axis => (axis + rank) % rank !== 0);
}

const isFloat = (value: Value): boolean => value.dtype === 'float32' && value.fixedShape !== undefined;

/** Number of rows and of axes, for values that have rows; they must agree throughout a chain. */
function rowsOf(value: Value): string | undefined {
  const shape = isFloat(value) ? value.fixedShape! : [];
  return shape.length >= 2 && shape[0]! >= 2 && !shape.includes(0)
    ? `${shape[0]} ${shape.length}`
    : undefined;
}

/** What a chain reads in tiles from outside, and what of it is read outside. */
function boundary(chain: Chain): { readonly from: Value[]; readonly to: Value[] } {
  const [first] = chain;
  const rows = rowsOf(first!.output);
  const from = new Set<Value>();
  const to: Value[] = [];
  for (const { inputs, output } of chain) {
    for (const input of inputs)
      if (input && rowsOf(input) === rows && !chain.has(input.producer!)) from.add(input);
    const outside = output.consumers.some(reader => !chain.has(reader));
    if (outside || first!.graph!.isOutput(output)) to.push(output);
  }
  return { from: [...from], to };
}

/** Whether the chain saves more traffic than putting its inputs apart and its results together takes. */
function pays(chain: Chain, limits: Limits): boolean {
  if (tilesOf(chain, limits) === undefined) return false;
  const { from, to } = boundary(chain);
  const bytes = (values: readonly Value[]): number =>
    values.reduce((sum, value) => sum + sizeOf(value.fixedShape!), 0);
  let traffic = 0;
  for (const { inputs, output } of chain)
    traffic += bytes([...new Set(inputs as readonly Value[])].filter(isFloat)) + bytes([output]);
  return traffic * CACHED + 2 * bytes([...from, ...to]) < traffic * WORTHWHILE;
}

/** Into how many tiles a chain is cut: a divisor of its rows. */
function tilesOf(chain: Chain, { smallest, size }: Limits): number | undefined {
  const shapes = [...chain].map(node => node.output.fixedShape!);
  const bytes = 4 * Math.max(...shapes.map(sizeOf));
  const rows = shapes[0]![0]!;
  if (bytes < smallest) return undefined;
  for (let tiles = Math.max(2, Math.ceil(bytes / size)); tiles <= rows; tiles++)
    if (rows % tiles === 0) return tiles;
  return undefined;
}

function tile(b: Builder, chain: Chain, count: number): void {
  const { graph } = b;
  const { from, to } = boundary(chain);
  const tiles = new Map<Value, Value[]>();
  for (const value of from) {
    const sizes = b.ints(new Array<number>(count).fill(value.fixedShape![0]! / count));
    tiles.set(value, b.node('Split', [value, sizes], { axis: 0 }, count).outputs as Value[]);
  }
  for (const node of chain) {
    const own = Array.from({ length: count }, (_, i) =>
      b.op(
        node.opType,
        node.inputs.map(input => (input && (tiles.get(input)?.[i] ?? input)) || null),
        Object.fromEntries(node.attributes),
      ),
    );
    tiles.set(node.output, own);
  }
  for (const value of to) graph.replaceUses(value, b.concat(tiles.get(value)!, 0));
  for (const node of [...chain].reverse()) graph.remove(node);
}
