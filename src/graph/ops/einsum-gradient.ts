import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import { readEquation } from './equation.js';
import type { Gradients, Vjp } from './vjp.js';

/**
 * The gradient by one operand is a product of the result's gradient with the other operands, summed over all
 * letters that the operand does not have. Letters that only it has were summed over: along them it is constant.
 */
const einsum: Vjp = ({ build: b, gradient: g, node, inputs, input, needs, fail }) => {
  const { operands, result } = readEquation(node.string('equation', ''));
  for (const letters of operands) {
    if (new Set(letters).size < letters.length) {
      fail(
        'a letter that is twice in one operand (a diagonal) is not supported',
        'Take the diagonal with GatherND',
      );
    }
  }
  return inputs.map((_, i) => {
    if (!needs(i)) return null;
    const own = operands[i]!;
    const others = operands.filter((_, j) => j !== i);
    const present = new Set([...result, ...others.flat()]);
    const kept = own.filter(letter => present.has(letter));
    // The runtime wants an ellipsis in the result where any operand has one; the sum over it comes after.
    if (present.has('…') && !own.includes('…')) kept.unshift('…');
    const values = [g, ...inputs.flatMap((_, j) => (j === i ? [] : [input(j)]))];
    return spread(b, product(b, [result, ...others], values, kept), own, kept, input(i));
  });
};

const text = (letters: readonly string[]): string => letters.join('').replace('…', '...');

const product = (
  b: Builder,
  terms: readonly string[][],
  values: readonly Value[],
  result: readonly string[],
): Value => {
  if (values.length === 1 && text(terms[0]!) === text(result)) return values[0]!;
  return b.op('Einsum', values, { equation: `${terms.map(text).join(',')}->${text(result)}` });
};

/** Repeats along the letters that the product lacks, and sums where the operand was broadcast. */
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
  return missing.length === 0 ? b.reduceLike(full, like) : b.reduceLike(b.add(full, b.zerosLike(like)), like);
}

export const einsumGradients: Gradients = { Einsum: einsum };
