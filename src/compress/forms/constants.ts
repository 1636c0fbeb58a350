import { byteLengthOf, type DType } from '../../graph/dtype.js';
import type { Graph } from '../../graph/graph.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';

/**
 * Small constants that many weights' expressions share (divisors, offsets): stored once per graph. Names are short,
 * because every byte of a small model counts.
 */
const CACHE = new WeakMap<Graph, Map<string, Value>>();

export function sharedConstant(graph: Graph, tensor: Tensor): Value {
  const cache = CACHE.get(graph) ?? new Map<string, Value>();
  CACHE.set(graph, cache);
  const key = `${tensor.dtype}|${tensor.dims}|${tensor.toNumbers()}`;
  const known = cache.get(key);
  // Removal of dead initializers may have taken it out since.
  if (known && graph.initializers.has(known)) return known;
  const value = graph.constant(tensor, 'k');
  cache.set(key, value);
  return value;
}

export const sharedScalar = (graph: Graph, value: number): Value =>
  sharedConstant(graph, Tensor.float32([], [value]));

export const sharedShape = (graph: Graph, dims: readonly number[]): Value =>
  sharedConstant(graph, Tensor.int64(dims));

/** A tensor whose bytes are made when they are asked for: to know how long a file will be, nobody asks. */
export function madeWhenRead(dtype: DType, dims: readonly number[], make: () => Uint8Array): Tensor {
  return new Tensor(dtype, dims, { byteLength: byteLengthOf(dtype, sizeOf(dims)), read: make });
}
