import type { Graph } from '../../graph/graph.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { madeWhenRead, sharedConstant, sharedScalar, sharedShape } from './constants.js';
import { castTo, firstAlong } from './operators.js';

/*
 * Integers of `bits` bits as planes of 8, 4, 2 or 1 bits in uint8 (6 = 4 + 2, 5 = 4 + 1, …), and the expression that
 * joins them again in float32. The widest plane holds the highest bits. Those are not spread evenly, and gzip packs them;
 * the lowest bits are noise.
 */

/** Integers in [−2^(bits−1), 2^(bits−1) − 1], in a shape that holds them all. */
export function unpackSigned(
  graph: Graph,
  q: Int8Array,
  bits: number,
  dims: readonly number[],
  opset: number,
): Value {
  if (bits === 8) return castTo(graph, graph.constant(Tensor.from('int8', dims, q), 'q'), 'float32');
  const centre = 2 ** (bits - 1);
  const integers = isLookedUp(q)
    ? lookUp(graph, q, bits, centre)
    : op(graph, 'Sub', compute(graph, q, bits, opset), sharedScalar(graph, centre));
  return op(graph, 'Reshape', integers, sharedShape(graph, dims));
}

/** The same plus 2^(bits−1), fewer than 8 bits each, flat. */
export const unpackUnsigned = (graph: Graph, q: Int8Array, bits: number, opset: number): Value =>
  isLookedUp(q)
    ? op(graph, 'Reshape', lookUp(graph, q, bits, 0), sharedShape(graph, [-1]))
    : compute(graph, q, bits, opset);

const op = (graph: Graph, type: string, ...inputs: Value[]): Value =>
  graph.op(type, inputs, {}, { outputs: ['u'] });

interface Plane {
  /** Bits of it. */
  readonly width: number;
  /** Bits below it. */
  readonly shift: number;
}

/** Widest and highest first. */
function planesOf(bits: number): Plane[] {
  const planes: Plane[] = [];
  let shift = bits;
  for (const width of [4, 2, 1]) {
    if ((bits & width) === 0) continue;
    shift -= width;
    planes.push({ width, shift });
  }
  return planes;
}

function compute(graph: Graph, q: Int8Array, bits: number, opset: number): Value {
  return planesOf(bits)
    .map(plane => {
      const values = computePlane(graph, q, bits, plane, opset);
      return plane.shift === 0 ? values : op(graph, 'Mul', values, sharedScalar(graph, 2 ** plane.shift));
    })
    .reduce((sum, plane) => op(graph, 'Add', sum, plane));
}

/**
 * One plane: byte j holds the values j, j + m, j + 2m, … (m bytes in all), lowest bits first, so that dividing by a
 * column of powers of two and taking the remainder gives them in order: t = ⌊bytes / 2^(wi)⌋, value = t − 2^w ⌊t / 2^w⌋.
 */
function computePlane(graph: Graph, q: Int8Array, bits: number, plane: Plane, opset: number): Value {
  const { width } = plane;
  const perByte = 8 / width;
  const size = Math.ceil(q.length / perByte);
  const packed = castTo(graph, planeConstant(graph, q, bits, plane, [1, size]), 'float32');
  const column = Tensor.float32(
    [perByte, 1],
    Array.from({ length: perByte }, (_, i) => 2 ** (-width * i)),
  );
  const times = (a: Value, b: Value) => op(graph, 'Mul', a, b);
  const floor = (a: Value) => op(graph, 'Floor', a);
  const t = floor(times(packed, sharedConstant(graph, column)));
  const above = times(floor(times(t, sharedScalar(graph, 1 / 2 ** width))), sharedScalar(graph, 2 ** width));
  const values = op(graph, 'Reshape', op(graph, 'Sub', t, above), sharedShape(graph, [-1]));
  return size * perByte === q.length ? values : firstAlong(graph, values, 0, q.length, opset);
}

/**
 * From so many integers on, planes are looked up. ONNX Runtime keeps every intermediate result of what it folds in a
 * pass: 34 bytes for an integer of 4 bits by arithmetic, 6 by looking up. Tables pay in large weights only.
 */
const LOOKED_UP = 2 ** 20;

/** Whether planes are looked up: bytes of all widths are full then. */
const isLookedUp = (q: Int8Array): boolean => q.length >= LOOKED_UP && q.length % 8 === 0;

/**
 * Integers less a centre. A table says what a byte stands for: for each of its numbers, 256 possibilities. Numbers of a
 * byte are far apart, so that tables of 2 × … × 2 × 256 give what they find in order; what a wider plane lacks of such
 * axes its bytes have, and all planes have one shape.
 */
function lookUp(graph: Graph, q: Int8Array, bits: number, centre: number): Value {
  const planes = planesOf(bits);
  const axes = Math.log2(8 / planes.at(-1)!.width);
  return planes
    .map((plane, i) => {
      const { width, shift } = plane;
      const own = Math.log2(8 / width);
      const perByte = 8 / width;
      const numbers = Array.from({ length: perByte * 256 }, (_, at) => {
        const value = ((at % 256) >> (width * Math.floor(at / 256))) & (2 ** width - 1);
        return value * 2 ** shift - (i === 0 ? centre : 0);
      });
      const table = Tensor.fromNumbers('int8', [...twos(own), 256], numbers);
      const dims = [...twos(axes - own), q.length / 2 ** axes];
      const bytes = castTo(graph, planeConstant(graph, q, bits, plane, dims), 'int32');
      const inputs = [castTo(graph, sharedConstant(graph, table), 'float32'), bytes];
      return graph.op('Gather', inputs, { axis: own }, { outputs: ['u'] });
    })
    .reduce((sum, plane) => op(graph, 'Add', sum, plane));
}

const twos = (count: number): number[] => new Array<number>(count).fill(2);

/** A plane of all integers, made unsigned. */
function planeConstant(
  graph: Graph,
  q: Int8Array,
  bits: number,
  plane: Plane,
  dims: readonly number[],
): Value {
  const tensor = madeWhenRead('uint8', dims, () => packPlane(q, bits, plane));
  return graph.constant(tensor, 'q');
}

function packPlane(q: Int8Array, bits: number, { width, shift }: Plane): Uint8Array {
  const size = Math.ceil((q.length * width) / 8);
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
