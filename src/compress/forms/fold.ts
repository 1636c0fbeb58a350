import type { DType } from '../../graph/dtype.js';
import { byteLengthOf, dtypeCode } from '../../graph/dtype.js';
import type { Graph } from '../../graph/graph.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { fromMatrix, inversePermutation, isIdentity, permutedDims } from '../matrix.js';
import { COLUMN_UNIT, type QuantizedMatrix, storedExponent } from '../quantizer.js';
import type { WeightLayout } from '../sites.js';
import { sharedConstant, sharedScalar, sharedShape } from './constants.js';

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
  const centre = 2 ** (format.bits - 1);
  const lookedUp = isLookedUp(quantized.q);
  const flat = unpack(graph, quantized.q, format.bits, opset, lookedUp ? centre : undefined);
  const inBlocks = graph.op(
    'Reshape',
    [flat, sharedShape(graph, [rows, blocks, block])],
    {},
    { outputs: ['w'] },
  );
  const centred =
    format.bits === 8 || lookedUp
      ? inBlocks
      : graph.op('Sub', [inBlocks, sharedScalar(graph, centre)], {}, { outputs: ['w'] });
  const scaled = graph.op(
    'Mul',
    [centred, nested ? foldNested(graph, nested) : foldScales(graph, scales, [rows, blocks, 1], exact)],
    {},
    { outputs: ['w'] },
  );
  let weight = scaled;
  if (paddedCols > cols) {
    weight = graph.op('Reshape', [weight, sharedShape(graph, [rows, paddedCols])], {}, { outputs: ['w'] });
    weight = firstAlong(graph, weight, 1, cols, opset);
  }
  if ((columns || offsets) && paddedCols === cols)
    weight = graph.op('Reshape', [weight, sharedShape(graph, [rows, cols])], {}, { outputs: ['w'] });
  if (columns) {
    const factors = foldColumns(graph, columns.codes, [1, cols]);
    weight = graph.op('Mul', [weight, factors], {}, { outputs: ['w'] });
  }
  if (offsets) weight = addOffsets(graph, weight, offsets, [rows, 1]);
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

/**
 * Integers of `bits` bits as planes of 8, 4, 2 or 1 bits in uint8 (6 = 4 + 2, 5 = 4 + 1, …), and the expression that
 * joins them again: a flat float32 tensor of unsigned values, except for 8 bits, which are int8 and signed.
 *
 * The widest plane holds the highest bits. Those are not spread evenly, and gzip packs them; the lowest bits are noise.
 * @param centre is taken from each number of fewer than 8 bits; the numbers are looked up then, and not always flat
 */
export function unpack(graph: Graph, q: Int8Array, bits: number, opset: number, centre?: number): Value {
  if (bits === 8) return castTo(graph, graph.constant(Tensor.from('int8', [q.length], q), 'q'), 'float32');
  let sum: Value | undefined;
  let shift = bits;
  for (const width of [4, 2, 1]) {
    if ((bits & width) === 0) continue;
    shift -= width;
    if (centre !== undefined) {
      const plane = lookUpPlane(graph, q, { bits, shift, width, opset, centre: sum ? 0 : centre });
      sum = sum ? graph.op('Add', [sum, plane], {}, { outputs: ['u'] }) : plane;
      continue;
    }
    let plane = unpackPlane(graph, q, bits, shift, width, opset);
    if (shift > 0) plane = graph.op('Mul', [plane, sharedScalar(graph, 2 ** shift)], {}, { outputs: ['u'] });
    sum = sum ? graph.op('Add', [sum, plane], {}, { outputs: ['u'] }) : plane;
  }
  return sum!;
}

/**
 * One plane: byte j holds the values j, j + m, j + 2m, … (m bytes in all), lowest bits first, so that dividing by a
 * column of powers of two and taking the remainder gives them in order: t = ⌊bytes / 2^(wi)⌋, value = t − 2^w ⌊t / 2^w⌋.
 */
function unpackPlane(
  graph: Graph,
  q: Int8Array,
  bits: number,
  shift: number,
  width: number,
  opset: number,
): Value {
  const perByte = 8 / width;
  const size = Math.ceil(q.length / perByte);
  const plane = madeWhenRead('uint8', [1, size], () => packPlane(q, bits, shift, width, size));
  const packed = castTo(graph, graph.constant(plane, 'q'), 'float32');
  const column = Tensor.float32(
    [perByte, 1],
    Array.from({ length: perByte }, (_, i) => 2 ** (-width * i)),
  );
  const op = (type: string, a: Value, b: Value) => graph.op(type, [a, b], {}, { outputs: ['u'] });
  const floor = (a: Value) => graph.op('Floor', [a], {}, { outputs: ['u'] });
  const t = floor(op('Mul', packed, sharedConstant(graph, column)));
  const above = op(
    'Mul',
    floor(op('Mul', t, sharedScalar(graph, 1 / 2 ** width))),
    sharedScalar(graph, 2 ** width),
  );
  const values = graph.op('Reshape', [op('Sub', t, above), sharedShape(graph, [-1])], {}, { outputs: ['u'] });
  return size * perByte === q.length ? values : firstAlong(graph, values, 0, q.length, opset);
}

/**
 * From so many integers on, planes are looked up. ONNX Runtime keeps every intermediate result of all that it folds until
 * the last one is done: 50 bytes for a weight of 4 bits by arithmetic, 18 by looking up. Tables pay in large weights only.
 */
const LOOKED_UP = 2 ** 20;

const isLookedUp = (q: Int8Array): boolean => q.length >= LOOKED_UP;

interface Plane {
  readonly bits: number;
  readonly shift: number;
  readonly width: number;
  readonly opset: number;
  readonly centre: number;
}

/** The same plane times 2^shift, less the centre: row i of a table holds what the i-th number in each byte stands for. */
function lookUpPlane(graph: Graph, q: Int8Array, { bits, shift, width, opset, centre }: Plane): Value {
  const perByte = 8 / width;
  const size = Math.ceil(q.length / perByte);
  const plane = madeWhenRead('uint8', [size], () => packPlane(q, bits, shift, width, size));
  const numbers = Array.from({ length: perByte * 256 }, (_, at) => {
    const value = ((at % 256) >> (width * Math.floor(at / 256))) & (2 ** width - 1);
    return value * 2 ** shift - centre;
  });
  const table = castTo(
    graph,
    sharedConstant(graph, Tensor.fromNumbers('int8', [perByte, 256], numbers)),
    'float32',
  );
  const bytes = castTo(graph, graph.constant(plane, 'q'), 'int32');
  const found = graph.op('Gather', [table, bytes], { axis: 1 }, { outputs: ['u'] });
  // One plane alone is put in shape by whoever asked for it.
  if (bits === width && size * perByte === q.length) return found;
  const values = graph.op('Reshape', [found, sharedShape(graph, [-1])], {}, { outputs: ['u'] });
  return size * perByte === q.length ? values : firstAlong(graph, values, 0, q.length, opset);
}

/** Bits [shift, shift + width) of each integer, made unsigned, `size` bytes. */
function packPlane(q: Int8Array, bits: number, shift: number, width: number, size: number): Uint8Array {
  const mask = 2 ** width - 1;
  const offset = 2 ** (bits - 1);
  const bytes = new Uint8Array(size);
  for (let i = 0, at = 0, left = 0; i < q.length; i++) {
    bytes[at]! |= (((q[i]! + offset) >> shift) & mask) << left;
    if (++at < size) continue;
    at = 0;
    left += width;
  }
  return bytes;
}

/** A tensor whose bytes are made when they are asked for: to know how long a file will be, nobody asks. */
export function madeWhenRead(dtype: DType, dims: readonly number[], make: () => Uint8Array): Tensor {
  return new Tensor(dtype, dims, { byteLength: byteLengthOf(dtype, sizeOf(dims)), read: make });
}

/** The first `length` entries along an axis. */
export function firstAlong(graph: Graph, value: Value, axis: number, length: number, opset: number): Value {
  // Slice took its bounds as attributes before opset 10.
  if (opset < 10)
    return graph.op('Slice', [value], { axes: [axis], starts: [0], ends: [length] }, { outputs: ['w'] });
  const bound = (n: number) => sharedShape(graph, [n]);
  return graph.op('Slice', [value, bound(0), bound(length), bound(axis)], {}, { outputs: ['w'] });
}

export function castTo(graph: Graph, value: Value, dtype: DType): Value {
  const from = value.dtype ?? 'float32';
  if (from === dtype) return value;
  return graph.op('Cast', [value], { to: dtypeCode(dtype) }, { outputs: ['c'] });
}
