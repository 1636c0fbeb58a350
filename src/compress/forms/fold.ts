import type { WeightLayout } from '../../calibrate/sites.js';
import type { DType } from '../../graph/dtype.js';
import type { Graph } from '../../graph/graph.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { fromMatrix, inversePermutation, isIdentity, permutedDims } from '../matrix.js';
import { COLUMN_UNIT, type QuantizedMatrix, storedExponent } from '../rounding/quantizer.js';
import { madeWhenRead, sharedScalar, sharedShape } from './constants.js';
import { castTo, firstAlong } from './operators.js';
import { unpackSigned } from './planes.js';

/*
 * The fold form: a compressed weight is written as a small expression of ordinary operators over constants (Cast,
 * Mul, Floor, Sub, Concat, Reshape, Transpose). ONNX Runtime, native and Web, folds it into a plain float32 weight
 * when it loads the model. So the download is small, speed and memory are the original's, and it works for any
 * number of bits, for every operator, from opset 7 on. (DequantizeLinear would not be folded: in front of Conv it
 * runs at every call.)
 */

/** What the weight was, and so what the expression must give. */
export interface Target {
  readonly dims: readonly number[];
  readonly dtype: DType;
  readonly layout: WeightLayout;
  /** The model's version of ONNX's operators. */
  readonly opset: number;
  /** Keep scales in float32 unless float16 holds them to the last bit; default false. */
  readonly exact?: boolean;
}

/** Writes a weight as float16 plus a Cast. */
export function foldFloat16(graph: Graph, data: Float32Array, target: Target): Value {
  const half = madeWhenRead('float16', target.dims, () =>
    Tensor.fromNumbers('float16', target.dims, data).bytes(),
  );
  return castTo(graph, graph.constant(half, 'h'), target.dtype);
}

/** Writes a weight as packed integers and scales. */
export function foldIntegers(graph: Graph, quantized: QuantizedMatrix, target: Target): Value {
  const columnAxes = target.layout.perm.slice(target.layout.split);
  // Factors for columns broadcast against the weight where its axes come in the order of the matrix.
  const inOrder = !quantized.columns || columnAxes.every((axis, i) => i === 0 || axis > columnAxes[i - 1]!);
  return quantized.format.bits === 8 && quantized.block >= quantized.cols && inOrder
    ? foldPerRow(graph, quantized, target)
    : foldBlocks(graph, quantized, target);
}

/** 8 bits, one scale per row: the integers keep the weight's own shape, the scales broadcast against it. */
function foldPerRow(graph: Graph, quantized: QuantizedMatrix, { dims, dtype, layout, exact }: Target): Value {
  const { q, scales, columns, offsets } = quantized;
  const ints = madeWhenRead('int8', dims, () => {
    const values = Int8Array.from(fromMatrix(Float32Array.from(q), dims, layout));
    return new Uint8Array(values.buffer);
  });
  const weight = castTo(graph, graph.constant(ints, 'q'), 'float32');
  const rowAxes = layout.perm.slice(0, layout.split);
  const scaleDims = dims.map((dim, axis) => (rowAxes.includes(axis) ? dim : 1));
  const scale = foldScales(graph, scales, scaleDims, exact);
  let scaled = graph.op('Mul', [weight, scale], {}, { outputs: ['w'] });
  if (columns) {
    const columnDims = dims.map((dim, axis) => (rowAxes.includes(axis) ? 1 : dim));
    scaled = graph.op('Mul', [scaled, foldColumns(graph, columns.codes, columnDims)], {}, { outputs: ['w'] });
  }
  if (offsets) scaled = addOffsets(graph, scaled, offsets, scaleDims);
  return castTo(graph, scaled, dtype);
}

/** Adds to each row what its code says. */
function addOffsets(
  graph: Graph,
  weight: Value,
  { unit, codes }: NonNullable<QuantizedMatrix['offsets']>,
  dims: readonly number[],
): Value {
  const stored = castTo(graph, graph.constant(Tensor.from('int8', dims, codes), 'o'), 'float32');
  const offsets = graph.op('Mul', [stored, sharedScalar(graph, unit)], {}, { outputs: ['o'] });
  return graph.op('Add', [weight, offsets], {}, { outputs: ['w'] });
}

/** The factors of the columns from their codes. */
function foldColumns(graph: Graph, codes: Uint8Array, dims: readonly number[]): Value {
  const stored = castTo(graph, graph.constant(Tensor.from('uint8', dims, codes), 'k'), 'float32');
  const squared = graph.op('Mul', [stored, stored], {}, { outputs: ['k'] });
  return graph.op('Mul', [squared, sharedScalar(graph, COLUMN_UNIT)], {}, { outputs: ['k'] });
}

/** The scales of blocks from the units of their rows and their codes. */
function foldNested(graph: Graph, { units, codes }: NonNullable<QuantizedMatrix['nested']>): Value {
  const blocks = codes.length / units.length;
  const dims = [units.length, blocks, 1];
  const stored = castTo(graph, graph.constant(Tensor.from('int8', dims, codes), 's'), 'float32');
  const size = graph.op('Abs', [stored], {}, { outputs: ['s'] });
  const squared = graph.op('Mul', [stored, size], {}, { outputs: ['s'] });
  return graph.op('Mul', [squared, foldScales(graph, units, [units.length, 1, 1])], {}, { outputs: ['s'] });
}

/** Any bits, any block: a flat stream of integers, unpacked, scaled per block and put back in shape. */
function foldBlocks(
  graph: Graph,
  quantized: QuantizedMatrix,
  { dims, dtype, layout, opset, exact }: Target,
): Value {
  const { rows, cols, paddedCols, block, scales, format, columns, nested, offsets } = quantized;
  const blocks = paddedCols / block;
  const op = (type: string, inputs: Value[]) => graph.op(type, inputs, {}, { outputs: ['w'] });
  const inBlocks = unpackSigned(graph, quantized.q, format.bits, [rows, blocks, block], opset);
  const factors = nested ? foldNested(graph, nested) : foldScales(graph, scales, [rows, blocks, 1], exact);
  let weight = op('Mul', [inBlocks, factors]);
  let [columnDims, rowDims] = [
    [1, blocks, block],
    [rows, 1, 1],
  ];
  if (paddedCols > cols) {
    weight = op('Reshape', [weight, sharedShape(graph, [rows, paddedCols])]);
    weight = firstAlong(graph, weight, 1, cols, opset);
    [columnDims, rowDims] = [
      [1, cols],
      [rows, 1],
    ];
  }
  if (columns) weight = op('Mul', [weight, foldColumns(graph, columns.codes, columnDims)]);
  if (offsets) weight = addOffsets(graph, weight, offsets, rowDims);
  weight = shapeMatrix(graph, weight, { dims, layout });
  return castTo(graph, weight, dtype);
}

/** A matrix in the shape of the weight that it stands for. */
export function shapeMatrix(
  graph: Graph,
  rows: Value,
  { dims, layout }: Pick<Target, 'dims' | 'layout'>,
): Value {
  const shape = sharedShape(graph, permutedDims(dims, layout));
  const weight = graph.op('Reshape', [rows, shape], {}, { outputs: ['w'] });
  if (isIdentity(layout.perm)) return weight;
  return graph.op('Transpose', [weight], { perm: inversePermutation(layout.perm) }, { outputs: ['w'] });
}

/**
 * Adds a matrix to a float32 weight.
 * @param rows in matrix order, (rows, cols)
 */
export function foldSum(graph: Graph, weight: Value, rows: Value, target: Target): Value {
  const sum = graph.op('Add', [weight, shapeMatrix(graph, rows, target)], {}, { outputs: ['w'] });
  return castTo(graph, sum, target.dtype);
}

/** Scales as float16 where that is safe and saves more than its Cast costs. */
export function foldScales(
  graph: Graph,
  scales: Float32Array,
  dims: readonly number[],
  exact = false,
): Value {
  const asTheyAre = (): Value => graph.constant(Tensor.float32(dims, scales), 's');
  const exponent = storedExponent(scales);
  if (exponent === undefined) return asTheyAre();
  const stored = scales.map(scale => scale * 2 ** exponent);
  const rounded = Tensor.fromNumbers('float16', dims, stored);
  if (exact && rounded.toFloat32().some((scale, i) => scale !== stored[i])) return asTheyAre();
  const half = castTo(graph, graph.constant(rounded, 's'), 'float32');
  if (exponent === 0) return half;
  return graph.op('Mul', [half, sharedScalar(graph, 2 ** -exponent)], {}, { outputs: ['s'] });
}
