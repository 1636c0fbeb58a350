import { bitsOf, type DType } from './dtype.js';
import { Graph } from './graph.js';
import type { Model } from './model.js';
import { SparseTensor } from './sparse.js';
import type { Tensor } from './tensor.js';
import type { Value } from './value.js';

/** A constant that holds numbers that are none. */
export interface NonFinite {
  /** The initializer, or the output of the `Constant` node. */
  readonly value: string;
  readonly nan: number;
  readonly infinite: number;
  readonly size: number;
  /** Position of the first one in row-major order. */
  readonly first: number;
}

/**
 * Finds constants with NaN or infinite elements, in subgraphs and functions too. Weights are read one by one, and only
 * as the iteration goes on.
 */
export function* findNonFinite(model: Model): Generator<NonFinite> {
  for (const graph of [model.graph, ...model.functions.map(f => f.graph)]) yield* inGraph(graph);
}

function* inGraph(graph: Graph): Generator<NonFinite> {
  for (const value of graph.initializers) yield* inValue(value);
  for (const node of graph.nodes) {
    if (node.opType === 'Constant') yield* inValue(node.output);
    for (const inner of node.subgraphs) yield* inGraph(inner);
  }
}

function* inValue(value: Value): Generator<NonFinite> {
  const sparse = value.initializer instanceof SparseTensor ? value.initializer.values : undefined;
  const tensor = sparse ?? Graph.constantOf(value);
  const found = tensor && scan(tensor);
  if (found) yield { value: value.name, size: tensor.size, ...found };
}

/** How a dtype writes what is no number: the bits of the exponent, and those of the mantissa. */
const LAYOUTS: Partial<Record<DType, { exponent: number; mantissa: number }>> = {
  float32: { exponent: 0x7f800000, mantissa: 0x007fffff },
  float64: { exponent: 0x7ff00000, mantissa: 0x000fffff }, // of the upper word
  float16: { exponent: 0x7c00, mantissa: 0x03ff },
  bfloat16: { exponent: 0x7f80, mantissa: 0x007f },
  float8e5m2: { exponent: 0x7c, mantissa: 0x03 },
};

/** Of 8-bit types without infinities: the codes of NaN. */
const NAN_CODES: Partial<Record<DType, readonly number[]>> = {
  float8e4m3fn: [0x7f, 0xff],
  float8e4m3fnuz: [0x80],
  float8e5m2fnuz: [0x80],
  float8e8m0: [0xff],
};

type Counts = Pick<NonFinite, 'nan' | 'infinite' | 'first'>;

function scan(tensor: Tensor): Counts | undefined {
  const layout = LAYOUTS[tensor.dtype];
  const codes = NAN_CODES[tensor.dtype];
  if (!layout && !codes) return undefined;
  let nan = 0;
  let infinite = 0;
  let first = -1;
  const words = wordsOf(tensor);
  const step = tensor.dtype === 'float64' ? 2 : 1;
  for (let i = step - 1; i < words.length; i += step) {
    const word = words[i]!;
    if (layout ? (word & layout.exponent) !== layout.exponent : !codes!.includes(word)) continue;
    const low = step === 2 ? words[i - 1]! : 0;
    if (layout && (word & layout.mantissa) === 0 && low === 0) infinite++;
    else nan++;
    if (first < 0) first = (i - step + 1) / step;
  }
  return first < 0 ? undefined : { nan, infinite, first };
}

/** The elements' bits: one word each, two for float64. */
function wordsOf(tensor: Tensor): Uint8Array | Uint16Array | Uint32Array {
  const bytes = tensor.bytes();
  const width = Math.min(32, bitsOf(tensor.dtype)) / 8;
  if (width === 1) return bytes;
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const Words = width === 2 ? Uint16Array : Uint32Array;
  return new Words(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / width);
}
