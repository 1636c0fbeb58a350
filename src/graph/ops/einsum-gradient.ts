import { sameDim } from '../dims.js';
import type { Shape, Value } from '../value.js';
import type { Builder } from './builder.js';
import { readEquation } from './equation.js';
import type { Gradients, Vjp } from './vjp.js';

/**
 * The gradient by one operand is a product of the result's gradient with the other operands, summed over all
 * letters that the operand does not have. Letters that only it has were summed over: along them it is constant.
 */
const einsum: Vjp = ({ build: b, gradient: g, node, inputs, input, needs }) => {
  const { operands, result } = readEquation(node.string('equation', ''));
  return inputs.map((_, i) => {
    if (!needs(i)) return null;
    // Nothing depends on anything, and ONNX Runtime's process ends where an Einsum sums products over nothing.
    if ([g, ...inputs].some(value => value?.shape?.includes(0))) return b.zerosLike(input(i));
    const letters = operands[i]!;
    const own = [...new Set(letters)];
    const diagonal = own.length === letters.length ? input(i) : product(b, [letters], [input(i)], own);
    const others = operands.filter((_, j) => j !== i);
    const present = new Set([...result, ...others.flat()]);
    const kept = own.filter(letter => present.has(letter));
    // The runtime wants an ellipsis in the result where any operand has one; the sum over it comes after.
    if (present.has('…') && !own.includes('…')) kept.unshift('…');
    const values = [g, ...inputs.flatMap((_, j) => (j === i ? [] : [input(j)]))];
    const found = product(b, [result, ...others], values, kept);
    const spreadOut = spread(b, found, own, kept, diagonal);
    return own.length === letters.length ? spreadOut : ontoDiagonal(b, spreadOut, letters, input(i));
  });
};

const text = (letters: readonly string[]): string => letters.join('').replace('…', '...');

const product = (
  b: Builder,
  terms: readonly (readonly string[])[],
  values: readonly Value[],
  result: readonly string[],
): Value => {
  if (values.length === 1 && text(terms[0]!) === text(result)) return values[0]!;
  return b.op('Einsum', values, { equation: `${terms.map(text).join(',')}->${text(result)}` });
};

/** Repeats along the letters that the product lacks or has one entry of, and sums where the operand was broadcast. */
function spread(
  b: Builder,
  value: Value,
  own: readonly string[],
  kept: readonly string[],
  like: Value,
): Value {
  // A letter's axis, counted from the side of the letters on which there is no ellipsis.
  const ellipsis = kept.includes('…') ? own.indexOf('…') : own.length;
  const missing = own.flatMap((letter, i) =>
    kept.includes(letter) ? [] : [i > ellipsis ? i - own.length : i],
  );
  const full = b.unsqueeze(value, missing);
  return b.reduceLike(covers(full.shape, like.shape) ? full : b.add(full, b.zerosLike(like)), like);
}

/** Whether a value is known to be as large as another along all of the other's axes. */
function covers(shape: Shape | undefined, like: Shape | undefined): boolean {
  if (!shape || !like) return false;
  const extra = shape.length - like.length;
  return like.every((dim, i) => {
    const own = shape[extra + i] ?? null;
    return dim === 1 || sameDim(own, dim) || (typeof own === 'number' && own > 1);
  });
}

/** Puts entries for each different letter of an operand on the diagonal of the letters that it has twice. */
function ontoDiagonal(b: Builder, value: Value, letters: readonly string[], like: Value): Value {
  const free = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter(l => !letters.includes(l));
  const sizes = b.sizesOf(like);
  const hidden = letters.indexOf('…');
  const terms: string[][] = [[...new Set(letters)]];
  const values = [value];
  const result = letters.map((letter, i) => {
    if (letters.indexOf(letter) === i) return letter;
    const axis = hidden >= 0 && i > hidden ? sizes.length - letters.length + i : i;
    const size = b.shapeFrom([sizes[axis]!]);
    const other = free.shift()!;
    terms.push([letter, other]);
    values.push(b.op('EyeLike', [b.fill(b.concat([size, size], 0), 0, value)]));
    return other;
  });
  return product(b, terms, values, result);
}

export const einsumGradients: Gradients = { Einsum: einsum };
