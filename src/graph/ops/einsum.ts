import { sameDim } from '../dims.js';
import type { Dim, Shape } from '../value.js';
import { broadcastShapes } from './broadcast.js';
import { defineOp, flops, type InferContext, macs, type OpDefinition } from './definition.js';
import { einsumGradients } from './einsum-gradient.js';
import { commonDType } from './elementwise.js';
import { readEquation } from './equation.js';
import { withGradients } from './vjp.js';

/** Size of each letter, and the shape that the ellipsis stands for. */
function sizesOf(
  context: InferContext,
  operands: readonly string[][],
): { letters: Map<string, Dim>; ellipsis: Shape } | undefined {
  const letters = new Map<string, Dim>();
  const ellipses: Shape[] = [];
  for (const [i, subscripts] of operands.entries()) {
    const shape = context.shape(i);
    if (!shape) return undefined;
    const named = subscripts.filter(letter => letter !== '…').length;
    if (subscripts.includes('…') ? shape.length < named : shape.length !== named) {
      context.fail(`subscripts "${subscripts.join('')}" do not fit rank ${shape.length}`);
    }
    let axis = 0;
    for (const letter of subscripts) {
      if (letter === '…') {
        ellipses.push(shape.slice(axis, axis + shape.length - named));
        axis += shape.length - named;
        continue;
      }
      const dim = shape[axis++]!;
      const known = letters.get(letter);
      if (typeof known === 'number' && typeof dim === 'number' && known !== dim && known !== 1 && dim !== 1) {
        context.fail(`"${letter}" is ${known} in one operand and ${dim} in another`);
      }
      // The number says most; a 1 broadcasts.
      if (known === undefined || known === null || known === 1 || (typeof dim === 'number' && dim !== 1)) {
        letters.set(letter, dim);
      } else if (dim !== null && dim !== 1 && typeof known === 'string' && !sameDim(known, dim)) {
        letters.set(letter, null);
      }
    }
  }
  return { letters, ellipsis: broadcastShapes(context, ellipses)! };
}

export const einsum: readonly OpDefinition[] = withGradients(
  [
    defineOp({
      op: 'Einsum',
      infer(context) {
        const { operands, result } = readEquation(context.node.string('equation', ''));
        if (operands.length !== context.node.inputs.length) {
          context.fail(
            `the equation has ${operands.length} operands, the node ${context.node.inputs.length}`,
          );
        }
        const sizes = sizesOf(context, operands);
        const dtype = commonDType(
          context,
          operands.map((_, i) => i),
        );
        context.set(
          0,
          dtype,
          sizes && result.flatMap(l => (l === '…' ? sizes.ellipsis : [sizes.letters.get(l) ?? null])),
        );
      },
      /** As one loop over all letters, the way the equation reads. */
      cost(context) {
        const { operands } = readEquation(context.node.string('equation', ''));
        const letters = new Map<string, number>();
        let ellipsis = 1;
        operands.forEach((subscripts, i) => {
          const shape = context.shape(i);
          const hidden = shape.length - subscripts.filter(l => l !== '…').length;
          let axis = 0;
          for (const letter of subscripts) {
            if (letter === '…') {
              ellipsis = Math.max(
                ellipsis,
                shape.slice(axis, axis + hidden).reduce((a, b) => a * b, 1),
              );
              axis += hidden;
            } else letters.set(letter, Math.max(letters.get(letter) ?? 1, shape[axis++]!));
          }
        });
        const count = [...letters.values()].reduce((a, b) => a * b, ellipsis);
        return operands.length > 1 ? macs(count * (operands.length - 1)) : flops(count);
      },
    }),
  ],
  einsumGradients,
);
