import { WhittleError } from '../../graph/errors.js';
import type { Graph } from '../../graph/graph.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { QuantizedMatrix } from '../rounding/quantizer.js';
import { sharedConstant, sharedScalar, sharedShape } from './constants.js';
import { foldScales, shapeMatrix, type Target } from './fold.js';
import { castTo, firstAlong } from './operators.js';
import { unpackSigned, unpackUnsigned } from './planes.js';

/*
 * The fold form of a sparse matrix: one bit a number says which are kept (or, for N of M, one index a group says which
 * pattern it has), and only those kept are stored. ONNX Runtime puts them in their places when it loads the model: the
 * sum of the bits up to a place says which number is there. NonZero and Scatter would be shorter, but ONNX Runtime does
 * not fold NonZero, and would scatter in every run. ONNX's own sparse initializers store an int64 with every number: at
 * half of the numbers kept that alone is as large as the dense matrix in float32.
 */

/** A quantized matrix that stores only the numbers kept; the others are 0. */
export interface SparseMatrix extends QuantizedMatrix {
  /** (rows, paddedCols): 1 where a number is kept. */
  readonly kept: Uint8Array;
  /** Exactly `n` of every `m` neighbours in a row are kept; `m` divides `paddedCols`. */
  readonly pattern?: Pattern | undefined;
}

export interface Pattern {
  readonly n: number;
  readonly m: number;
}

/** The version of ONNX's operators that brought CumSum. */
export const CUMSUM = 11;

const AXIS = Tensor.fromNumbers('int64', [], [0]);
const ONE = Tensor.fromNumbers('int32', [], [1]);

/** Writes a sparse weight. @throws WhittleError before operator set 11, which cannot */
export function foldSparse(graph: Graph, sparse: SparseMatrix, target: Target): Value {
  const { opset, dtype } = target;
  if (opset < CUMSUM) {
    throw new WhittleError(`sparse storage needs operator set ${CUMSUM}, not ${opset}`, {
      hint: 'Raise the model with upgradeOpset first',
    });
  }
  const { rows, cols, paddedCols, block, q, kept, scales, format } = sparse;
  const op = (type: string, inputs: Value[], attributes = {}) =>
    graph.op(type, inputs, attributes, { outputs: ['w'] });
  const mask = sparse.pattern ? patterns(graph, sparse, sparse.pattern, opset) : bits(graph, kept, opset);
  const values = q.filter((_, i) => kept[i] === 1);
  const numbers =
    format.bits === 8
      ? unpackSigned(graph, values, 8, [values.length], opset)
      : op('Sub', [
          unpackUnsigned(graph, values, format.bits, opset),
          sharedScalar(graph, 2 ** (format.bits - 1)),
        ]);
  // Before the first that is kept the place is −1, the last number; the mask makes it 0.
  const counts = op('CumSum', [castTo(graph, mask, 'int32'), sharedConstant(graph, AXIS)]);
  const places = op('Sub', [counts, sharedConstant(graph, ONE)]);
  const flat = op('Mul', [op('Gather', [numbers, places]), mask]);
  const blocks = paddedCols / block;
  const inBlocks = op('Reshape', [flat, sharedShape(graph, [rows, blocks, block])]);
  let weight = op('Mul', [inBlocks, foldScales(graph, scales, [rows, blocks, 1])]);
  if (paddedCols > cols) {
    weight = op('Reshape', [weight, sharedShape(graph, [rows, paddedCols])]);
    weight = firstAlong(graph, weight, 1, cols, opset);
  }
  return castTo(graph, shapeMatrix(graph, weight, target), dtype);
}

/** Zeros and ones, flat, from one bit each. */
const bits = (graph: Graph, kept: Uint8Array, opset: number): Value =>
  unpackUnsigned(
    graph,
    Int8Array.from(kept, bit => bit - 1),
    1,
    opset,
  );

/** The same from an index of each group's pattern. */
function patterns(graph: Graph, { kept }: SparseMatrix, { n, m }: Pattern, opset: number): Value {
  const all = patternsOf(n, m);
  const width = Math.ceil(Math.log2(all.length));
  const indexOf = new Map(all.map((pattern, i) => [pattern.join(''), i]));
  const q = new Int8Array(kept.length / m);
  for (let i = 0; i < q.length; i++) {
    q[i] = indexOf.get(kept.subarray(i * m, (i + 1) * m).join(''))! - 2 ** (width - 1);
  }
  const index = castTo(graph, unpackUnsigned(graph, q, width, opset), 'int32');
  const table = sharedConstant(graph, Tensor.float32([all.length, m], all.flat()));
  const mask = graph.op('Gather', [table, index], {}, { outputs: ['w'] });
  return graph.op('Reshape', [mask, sharedShape(graph, [-1])], {}, { outputs: ['w'] });
}

/** All ways to keep n of m. */
function patternsOf(n: number, m: number): number[][] {
  if (n === 0) return [new Array<number>(m).fill(0)];
  if (n === m) return [new Array<number>(m).fill(1)];
  return [
    ...patternsOf(n, m - 1).map(rest => [0, ...rest]),
    ...patternsOf(n - 1, m - 1).map(rest => [1, ...rest]),
  ];
}
