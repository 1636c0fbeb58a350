import type { AttributeInput } from '../attribute.js';
import { sameDim } from '../dims.js';
import { dtypeCode } from '../dtype.js';
import type { NodeInput } from '../node.js';
import { Tensor } from '../tensor.js';
import type { Shape, Value } from '../value.js';

/** The part of Builder that moves data: reshaping, broadcasting and its reverse, scattering. */
export abstract class ShapeBuilder {
  abstract readonly opset: number;

  abstract op(
    opType: string,
    inputs: readonly NodeInput[],
    attributes?: Readonly<Record<string, AttributeInput | undefined>>,
  ): Value;
  abstract ints(values: readonly number[]): Value;
  abstract sum(x: Value, axes: readonly number[], keepdims?: boolean): Value;

  /** The shape of x as a value: a constant where it is known, else computed when the graph runs. */
  shapeOf(x: Value): Value {
    const fixed = x.fixedShape;
    return fixed ? this.ints(fixed) : this.op('Shape', [x]);
  }

  /** The size of one axis as a list of one integer. */
  dimOf(x: Value, axis: number): Value {
    const dim = x.shape?.at(axis);
    if (typeof dim === 'number') return this.ints([dim]);
    return this.op('Gather', [this.op('Shape', [x]), this.ints([axis])]);
  }

  /** x in another shape; a −1 in a list takes what is left. */
  reshape(x: Value, dims: readonly number[] | Value): Value {
    if (!Array.isArray(dims)) return this.op('Reshape', [x, dims as Value], this.literalZeros());
    const list = dims as readonly number[];
    if (x.fixedShape && sameShape(x.shape, list)) return x;
    return this.op('Reshape', [x, this.ints(list)], list.includes(0) ? this.literalZeros() : {});
  }

  // Otherwise a 0 in the target copies a dimension of the input.
  private literalZeros(): Record<string, number> {
    return this.opset >= 14 ? { allowzero: 1 } : {};
  }

  /** x in the shape of another value of as many elements. */
  reshapeLike(x: Value, like: Value): Value {
    const shape = like.shape;
    if (sameShape(x.shape, shape)) return x;
    if (like.fixedShape) return this.reshape(x, like.fixedShape);
    const open = shape?.filter(dim => typeof dim !== 'number').length;
    // One size may be left to the runtime, which is cheaper than computing it, unless a zero hides it.
    if (open === 1 && !shape!.includes(0)) {
      return this.reshape(
        x,
        shape!.map(dim => (typeof dim === 'number' ? dim : -1)),
      );
    }
    return this.reshape(x, this.shapeOf(like));
  }

  /** x broadcast to the shape of another value. */
  expandLike(x: Value, like: Value): Value {
    if (sameShape(x.shape, like.shape)) return x;
    // ONNX Runtime's Expand keeps a 1 where the target has a 0.
    if (like.shape?.includes(0)) return this.zerosLike(like);
    return this.op('Expand', [x, this.shapeOf(like)]);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return perm.every((axis, i) => axis === i) ? x : this.op('Transpose', [x], { perm });
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    return axes.length === 0 ? x : this.op('Unsqueeze', [x, this.ints(axes)]);
  }

  squeeze(x: Value, axes: readonly number[]): Value {
    return axes.length === 0 ? x : this.op('Squeeze', [x, this.ints(axes)]);
  }

  concat(values: readonly Value[], axis: number): Value {
    return values.length === 1 ? values[0]! : this.op('Concat', values, { axis });
  }

  slice(
    x: Value,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps: readonly number[] = axes.map(() => 1),
  ): Value {
    return this.op('Slice', [x, this.ints(starts), this.ints(ends), this.ints(axes), this.ints(steps)]);
  }

  /** x in the opposite order along axes. */
  reverse(x: Value, axes: readonly number[]): Value {
    if (axes.length === 0) return x;
    const all = (value: number): number[] => axes.map(() => value);
    // The end is exclusive and −1 means the last entry: only a large negative number goes past the first.
    return this.slice(x, all(-1), all(-(2 ** 31)), axes, all(-1));
  }

  /** Zero padding; negative pads crop. */
  pad(x: Value, pads: readonly number[] | Value): Value {
    if (!Array.isArray(pads)) return this.op('Pad', [x, pads as Value]);
    return pads.every(p => p === 0) ? x : this.op('Pad', [x, this.ints(pads)]);
  }

  /** Zeros of the shape and dtype of a value. */
  zerosLike(x: Value): Value {
    return this.fillLike(x, 0);
  }

  /** A constant in the shape and dtype of a value. */
  fillLike(x: Value, value: number): Value {
    return this.fill(this.shapeOf(x), value, x);
  }

  /** A constant of a given shape, in the dtype of `like`. */
  fill(shape: Value, value: number, like: Value): Value {
    return this.op('ConstantOfShape', [shape], {
      value: Tensor.fromNumbers(like.dtype ?? 'float32', [1], [value]),
    });
  }

  /**
   * Undoes broadcasting: sums g over the axes along which a value of the shape of `like` was repeated. Where the
   * sizes do not decide which axes those are, they are found when the graph runs.
   */
  reduceLike(g: Value, like: Value): Value {
    const [from, to] = [g.shape, like.shape];
    if (sameShape(from, to)) return g;
    const axes = from && to && broadcastAxes(from, to);
    if (!axes) return this.reduceAtRunTime(g, like);
    if (axes.length === 0) return this.reshapeLike(g, like);
    // Leading axes that the value does not have vanish; the others stay with size 1.
    const keep = axes.some(axis => axis >= from.length - to.length);
    return this.reshapeLike(this.sum(g, axes, keep), like);
  }

  private reduceAtRunTime(g: Value, like: Value): Value {
    const shape = this.op('Shape', [like]);
    const missing = this.op('Sub', [this.op('Shape', [this.op('Shape', [g])]), this.op('Shape', [shape])]);
    const ones = this.op('ConstantOfShape', [missing], { value: Tensor.int64([1]) });
    const padded = this.op('Concat', [ones, shape], { axis: 0 });
    const repeated = this.op('Equal', [padded, this.ints([1])]);
    const axes = this.op('Squeeze', [this.op('NonZero', [repeated]), this.ints([0])]);
    const summed = this.op('ReduceSum', [g, axes], { keepdims: 1, noop_with_empty_axes: 1 });
    return this.reshape(summed, shape);
  }

  /**
   * Reverse of picking entries along an axis: g has the shape of `indices` where a tensor of `sizes` has that axis, and
   * each of its entries is added to the one that it was picked from.
   */
  scatterAdd(g: Value, indices: Value, axis: number, sizes: readonly Size[], indexRank = 1): Value {
    const rank = sizes.length;
    // Indexed axes to the front, where ScatterND has them.
    const picked = Array.from({ length: indexRank }, (_, i) => axis + i);
    const others = Array.from({ length: rank - 1 }, (_, i) => (i < axis ? i : i + indexRank));
    const order = [axis, ...Array.from({ length: rank }, (_, i) => i).filter(a => a !== axis)];
    const zeros = this.fill(this.shapeFrom(order.map(a => sizes[a]!)), 0, g);
    // Gather takes int32 as well, ScatterND does not.
    const whole =
      indices.dtype === 'int32' ? this.op('Cast', [indices], { to: dtypeCode('int64') }) : indices;
    const places = this.unsqueeze(whole, [-1]);
    const front = this.transpose(g, [...picked, ...others]);
    const sum = this.op('ScatterND', [zeros, places, front], { reduction: 'add' });
    return this.transpose(sum, inversePermutation(order));
  }

  /** The sizes of all axes: numbers where they are known, else values of one integer. */
  sizesOf(x: Value): Size[] {
    return x.shape!.map((dim, axis) => (typeof dim === 'number' ? dim : this.dimOf(x, axis)));
  }

  /** A shape put together from sizes. */
  shapeFrom(sizes: readonly Size[]): Value {
    if (sizes.every(size => typeof size === 'number')) return this.ints(sizes);
    return this.concat(
      sizes.map(size => (typeof size === 'number' ? this.ints([size]) : size)),
      0,
    );
  }
}

/** The size of an axis: known, or a list of one integer. */
export type Size = number | Value;

export function inversePermutation(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length);
  perm.forEach((axis, i) => {
    inverse[axis] = i;
  });
  return inverse;
}

/** Whether two shapes are known to be the same. */
const sameShape = (a: Shape | undefined, b: Shape | undefined): boolean =>
  a !== undefined && b !== undefined && a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));

/** The axes of `from` along which a value of shape `to` was repeated; `undefined` where the sizes do not say. */
function broadcastAxes(from: Shape, to: Shape): number[] | undefined {
  const extra = from.length - to.length;
  const axes: number[] = [];
  for (const [axis, dim] of from.entries()) {
    const own = axis < extra ? 1 : to[axis - extra]!;
    if (own === 1) {
      if (axis < extra || dim !== 1) axes.push(axis);
    } else if (typeof own !== 'number' && !sameDim(own, dim)) return undefined;
  }
  return axes;
}
