import { dtypeCode } from '../../graph/dtype.js';
import type { Graph } from '../../graph/graph.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { QuantizedMatrix } from '../rounding/quantizer.js';
import { sharedConstant, sharedShape } from './constants.js';
import { foldScales, shapeMatrix, type Target } from './fold.js';
import { castTo, firstAlong } from './operators.js';
import { unpackUnsigned } from './planes.js';

/*
 * The fold form with a codebook: packed indices are unpacked as integers are, then looked up (Gather) instead of being
 * taken for numbers. ONNX Runtime computes all of it when it loads the model.
 */

/**
 * A matrix whose numbers come from codebooks: w[r, c] ≈ scale[r, ⌊c / block⌋] · level[q[r, c] + 2^(bits−1)], the level
 * out of the codebook of the row's group.
 */
export interface ClusteredMatrix extends QuantizedMatrix {
  /** (groups, 2^bits), rising within a group; rows are dealt to the groups in equal runs. */
  readonly codebooks: Float32Array;
}

const codebookCount = ({ codebooks, format }: ClusteredMatrix): number => codebooks.length / 2 ** format.bits;

/** The matrix that indices, codebooks and scales stand for. */
export function restoreClustered(clustered: ClusteredMatrix): Float32Array {
  const { rows, cols, paddedCols, block, q, scales, codebooks, format } = clustered;
  const size = 2 ** format.bits;
  const groupRows = rows / codebookCount(clustered);
  const blocks = paddedCols / block;
  const result = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    const middle = Math.floor(r / groupRows) * size + size / 2;
    for (let c = 0; c < cols; c++) {
      const level = codebooks[middle + q[r * paddedCols + c]!]!;
      result[r * cols + c] = level * scales[r * blocks + Math.floor(c / block)]!;
    }
  }
  return result;
}

/** Writes a clustered weight as packed indices, codebooks and scales. */
export function foldClustered(graph: Graph, clustered: ClusteredMatrix, target: Target): Value {
  const { rows, cols, paddedCols, block, scales, codebooks } = clustered;
  const blocks = paddedCols / block;
  const op = (type: string, inputs: Value[]) => graph.op(type, inputs, {}, { outputs: ['w'] });
  const table = foldScales(graph, codebooks, [codebooks.length]);
  const levels = op('Reshape', [
    op('Gather', [table, indices(graph, clustered, target.opset)]),
    sharedShape(graph, [rows, blocks, block]),
  ]);
  let weight = op('Mul', [levels, foldScales(graph, scales, [rows, blocks, 1])]);
  if (paddedCols > cols) {
    weight = op('Reshape', [weight, sharedShape(graph, [rows, paddedCols])]);
    weight = firstAlong(graph, weight, 1, cols, target.opset);
  }
  return castTo(graph, shapeMatrix(graph, weight, target), target.dtype);
}

/** int32 positions in the codebooks, flat or (groups, …). */
function indices(graph: Graph, clustered: ClusteredMatrix, opset: number): Value {
  const { q, format } = clustered;
  const groups = codebookCount(clustered);
  const size = 2 ** format.bits;
  let index: Value;
  if (format.bits === 8) {
    const bytes = Uint8Array.from(q, value => value + 128);
    index = graph.constant(Tensor.from('uint8', [bytes.length], bytes), 'q');
  } else index = unpackUnsigned(graph, q, format.bits, opset);
  if (groups > 1) {
    // Sums of float32 are exact as far as indices go.
    index = castTo(graph, index, 'float32');
    const grouped = graph.op('Reshape', [index, sharedShape(graph, [groups, -1])], {}, { outputs: ['u'] });
    const starts = Tensor.float32(
      [groups, 1],
      Array.from({ length: groups }, (_, g) => g * size),
    );
    index = graph.op('Add', [grouped, sharedConstant(graph, starts)], {}, { outputs: ['u'] });
  }
  return graph.op('Cast', [index], { to: dtypeCode('int32') }, { outputs: ['c'] });
}
