import type { DType } from '../../graph/dtype.js';
import { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Value } from '../../graph/value.js';

const ELEMENTWISE = new Set(
  (
    'Abs Add Clip Div Erf Exp Gelu GreaterOrEqual HardSigmoid Max Mul Neg Reciprocal Round Sigmoid Sqrt Sub Sum Tanh ' +
    'Where'
  ).split(' '),
);
const REDUCTIONS = new Set(['ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceSum']);
/** Of tensors that are computed row by row: numbers, random bits, and masks. */
const DTYPES: ReadonlySet<DType | undefined> = new Set<DType>(['float32', 'uint32', 'bool']);

/** Length of the first axis, for tensors that have rows. */
export function rowsOf(value: Value): number | undefined {
  const shape = DTYPES.has(value.dtype) ? value.fixedShape : undefined;
  return shape && shape.length >= 2 && shape[0]! >= 2 && !shape.includes(0) ? shape[0] : undefined;
}

/**
 * The inputs of which a node needs, for each row of its results, the same row alone; the others it needs whole.
 * `undefined` where rows of its results depend on more than that.
 */
export function rowInputs(node: Node): Value[] | undefined {
  if (node.domain !== '') return undefined;
  const rows = node.outputs[0] ? rowsOf(node.output) : undefined;
  if (rows === undefined) return undefined;
  const inputs = node.inputs.filter(input => input !== null);
  const [x, second] = inputs;
  const rank = node.output.fixedShape!.length;
  const first = x && rowsOf(x) === rows ? [x] : undefined;
  const along = (axis: number): number => axis + (axis < 0 ? x!.shape!.length : 0);
  if (ELEMENTWISE.has(node.opType)) return broadcast(inputs, rows, rank);
  if (REDUCTIONS.has(node.opType)) {
    const axes = second ? Graph.constantOf(second)?.toNumbers() : node.ints('axes', []);
    return node.int('keepdims', 1) === 1 && axes?.length && axes.every(axis => along(axis) > 0)
      ? first
      : undefined;
  }
  switch (node.opType) {
    case 'LayerNormalization':
    case 'Softmax':
      return first && along(node.int('axis', -1)) > 0 ? first : undefined;
    case 'Reshape':
      return first;
    case 'Transpose':
      return node.ints('perm')?.[0] === 0 ? first : undefined;
    case 'MatMul':
      return rank >= 3 && inputs.every(input => input.shape?.length === rank && rowsOf(input) === rows)
        ? inputs
        : undefined;
    default:
      return undefined;
  }
}

/** What does not stretch over the rows; `undefined` where something has as many of another axis, to be safe. */
function broadcast(inputs: readonly Value[], rows: number, rank: number): Value[] | undefined {
  if (!inputs.every(input => DTYPES.has(input.dtype) && input.fixedShape)) return undefined;
  const tiled = inputs.filter(input => rowsOf(input) === rows);
  return tiled.length > 0 && tiled.every(input => input.fixedShape!.length === rank) ? tiled : undefined;
}
