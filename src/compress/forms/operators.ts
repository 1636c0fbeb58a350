import { type DType, dtypeCode } from '../../graph/dtype.js';
import type { Graph } from '../../graph/graph.js';
import type { Value } from '../../graph/value.js';
import { sharedShape } from './constants.js';

/** The first `length` entries along an axis. */
export function firstAlong(graph: Graph, value: Value, axis: number, length: number, opset: number): Value {
  // Slice took its bounds as attributes before opset 10.
  if (opset < 10)
    return graph.op('Slice', [value], { axes: [axis], starts: [0], ends: [length] }, { outputs: ['w'] });
  const bound = (n: number) => sharedShape(graph, [n]);
  return graph.op('Slice', [value, bound(0), bound(length), bound(axis)], {}, { outputs: ['w'] });
}

/** A value in another dtype; itself where it has that one. */
export function castTo(graph: Graph, value: Value, dtype: DType): Value {
  const from = value.dtype ?? 'float32';
  if (from === dtype) return value;
  return graph.op('Cast', [value], { to: dtypeCode(dtype) }, { outputs: ['c'] });
}
