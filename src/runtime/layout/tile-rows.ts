import { typedBuilder } from '../../graph/autodiff/index.js';
import { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import { Node } from '../../graph/node.js';
import type { Builder } from '../../graph/ops/builder.js';
import { sizeOf } from '../../graph/tensor.js';
import { tensorType, type Value } from '../../graph/value.js';
import { rowChains } from './row-chains.js';
import { rowInputs, rowsOf } from './row-wise.js';

export interface TileOptions {
  /** Tensors of fewer bytes stay in a core's cache as they are; default 1 MiB. */
  readonly smallest?: number;
  /**
   * Bytes of a tile; default 384 KiB for each thread: the handful of tensors that a chain works on then fits into the
   * cores' second caches, and ONNX Runtime shares an operator among threads, which it does not below some 500 KiB.
   */
  readonly tile?: number;
  /** Threads of the session; default 1. */
  readonly threads?: number;
  /** Bytes that go to memory in the time that starting an operator takes, about 3 µs; default 24 KiB. */
  readonly call?: number;
}

/** Reading and writing a tile takes this share of the time that it takes with a tensor in memory. */
const CACHED = 1 / 3;
/** The share of the traffic from which on tiles do not pay. */
const WORTHWHILE = 0.8;

/**
 * Computes chains of passes over large tensors, such as the gradient of GELU or an attention between its projections,
 * tile after tile along the first axis, in place. ONNX Runtime runs one operator after the other, each over the whole
 * tensor, so that what one wrote has left the cache before the next reads it. `Scan` hands its body views of what it
 * cuts, and the body writes into the results, so that nothing is copied. The numbers are the same.
 * @returns how many chains were tiled
 */
export function tileRows(
  model: Model,
  { smallest = 1 << 20, threads = 1, tile: size = threads * (384 << 10), call = 24 << 10 }: TileOptions = {},
): number {
  const limits = { smallest, size, call };
  const { graph } = model;
  graph.sort();
  const chains = rowChains(graph).filter(chain => pays(chain, limits));
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
  readonly call: number;
}

type Chain = ReadonlySet<Node>;

const outputsOf = (node: Node): Value[] => node.outputs.filter(output => output !== null);

interface Boundary {
  /** What a chain reads in tiles from outside. */
  readonly from: ReadonlySet<Value>;
  /** What of it is read outside, and which value that is but for its shape: a body that ends with a reshape copies. */
  readonly to: ReadonlyMap<Value, Value>;
}

function boundary(chain: Chain): Boundary {
  const from = new Set<Value>();
  const to = new Map<Value, Value>();
  for (const node of chain) {
    for (const input of rowInputs(node)!) if (!chain.has(input.producer!)) from.add(input);
    for (const output of outputsOf(node)) {
      if (!output.consumers.some(reader => !chain.has(reader)) && !node.graph!.isOutput(output)) continue;
      let source = output;
      for (let reshape = node; chain.has(reshape) && reshape.opType === 'Reshape'; reshape = source.producer!)
        source = reshape.inputs[0]!;
      to.set(output, source);
    }
  }
  return { from, to };
}

/** Whether the chain saves more traffic than starting its operators for each tile costs. */
function pays(chain: Chain, limits: Limits): boolean {
  const tiles = tilesOf(chain, limits);
  if (tiles === undefined) return false;
  const { from, to } = boundary(chain);
  if (![...to.values()].some(source => chain.has(source.producer!))) return false; // dead
  const bytes = (values: Iterable<Value>): number =>
    4 * [...values].reduce((sum, value) => sum + sizeOf(value.fixedShape!), 0);
  let traffic = 0;
  for (const node of chain) {
    if (node.opType !== 'Reshape') traffic += bytes(new Set(rowInputs(node))) + bytes(outputsOf(node));
  }
  const tiled =
    traffic * CACHED + bytes(from) + bytes(new Set(to.values())) + limits.call * tiles * chain.size;
  return tiled < traffic * WORTHWHILE;
}

/** Into how many tiles a chain is cut: a divisor of its rows. */
function tilesOf(chain: Chain, { smallest, size }: Limits): number | undefined {
  const cut = [...chain].flatMap(node => rowInputs(node)!);
  const bytes = 4 * Math.max(...cut.map(value => sizeOf(value.fixedShape!)));
  const rows = rowsOf(cut[0]!)!;
  if (bytes < smallest) return undefined;
  for (let tiles = Math.max(2, Math.ceil(bytes / size)); tiles < rows; tiles++)
    if (rows % tiles === 0) return tiles;
  return rows;
}

function tile(b: Builder, chain: Chain, count: number): void {
  const { graph } = b;
  const { from, to } = boundary(chain);
  const body = new Graph(graph.freshName('tiles'));
  const tiles = new Map<Value, Value>();
  const tileShape = (value: Value): number[] => {
    const [rows, ...rest] = value.fixedShape!;
    return [rows! / count, ...rest];
  };
  const addTile = (value: Value): Value => {
    const own = graph.newValue(`${value.name}.tile`, tensorType(value.dtype, tileShape(value)));
    tiles.set(value, own);
    return own;
  };
  for (const value of from) {
    const own = addTile(value);
    own.declared = true;
    body.inputs.push(own);
  }
  for (const node of chain) {
    const rows = rowInputs(node)!;
    const inputs = node.inputs.map(input => (input && rows.includes(input) ? tiles.get(input)! : input));
    if (node.opType === 'Reshape') inputs[1] = b.ints(tileShape(node.output));
    const outputs = node.outputs.map(output => output && addTile(output));
    const { opType, name } = node;
    body.insert(new Node(opType, inputs, outputs, { attributes: Object.fromEntries(node.attributes), name }));
  }
  const given = [...new Set(to.values())].filter(value => chain.has(value.producer!));
  for (const value of given) body.addOutput(tiles.get(value)!);
  for (const node of [...body.nodes].reverse()) {
    if (node.opType === 'Reshape' && node.output.uses.size === 0) body.remove(node);
  }
  const cut = [...from].map(value => b.reshape(value, [count, ...tileShape(value)]));
  const scan = graph.node('Scan', cut, { body, num_scan_inputs: cut.length }, { outputs: given.length });
  given.forEach((value, i) => {
    scan.outputs[i]!.type = tensorType(value.dtype, [count, ...tileShape(value)]);
  });
  for (const [value, source] of to) {
    const stacked = scan.outputs[given.indexOf(source)] ?? source;
    graph.replaceUses(value, b.reshape(stacked, value.fixedShape!));
  }
  for (const node of [...chain].reverse()) graph.remove(node);
}
