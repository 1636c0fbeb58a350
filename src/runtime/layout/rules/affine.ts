import { Graph } from '../../../graph/graph.js';
import type { NodeInput } from '../../../graph/node.js';
import type { Value } from '../../../graph/value.js';
import type { Factor } from '../factors.js';
import type { Form } from '../forms.js';
import { imageDims, type Layout } from '../layout.js';
import type { ImageDims } from '../operators.js';
import { isMean } from './reduction.js';
import type { Rule } from './rule.js';

/** A value of the shape of the result, or a number for each channel. */
type Operand = { readonly image: Value } | { readonly factor: Factor };

/**
 * Sums of images, and products and sums with a number for each channel: forms, not computed before they are needed.
 * BatchNorm's gradient consists of them, in whatever order it is written.
 */
const affine =
  (combine: (layout: Layout, operands: readonly Operand[], output: Value) => Form | undefined): Rule =>
  (node, layout) => {
    const { output } = node;
    const dims = imageDims(output);
    if (!dims || !node.inputs.some(input => layout.has(input))) return false;
    const operands: Operand[] = [];
    for (const input of node.inputs) {
      const operand = operandOf(input, dims, layout);
      if (!operand) return false;
      operands.push(operand);
    }
    const form = combine(layout, operands, output);
    if (!form) return layout.has(output);
    // Several images that several nodes read are added once.
    const shared = form.terms.length > 1 && output.uses.size > 1;
    layout.define(output, shared ? layout.compute(form) : form);
    return true;
  };

function operandOf(value: NodeInput, dims: ImageDims, layout: Layout): Operand | undefined {
  const shape = value?.dtype === 'float32' ? value.fixedShape : undefined;
  if (!value || !shape) return undefined;
  const constant = Graph.constantOf(value);
  if (constant?.size === 1) return { factor: constant.toNumbers()[0]! };
  if (shape.join() === dims.join()) return { image: value };
  if (layout.has(value)) return undefined;
  const full = [...new Array<number>(Math.max(0, 4 - shape.length)).fill(1), ...shape];
  const perChannel = full.length === 4 && full.every((d, i) => d === 1 || (i === 1 && d === dims[1]));
  return perChannel ? { factor: value } : undefined;
}

function sum(layout: Layout, operands: readonly Operand[]): Form {
  const { forms, factors } = layout;
  let form: Form | undefined;
  let offset: Factor = 0;
  for (const operand of operands) {
    if ('factor' in operand) offset = factors.add(offset, operand.factor);
    else form = form ? forms.add(form, layout.form(operand.image)) : layout.form(operand.image);
  }
  return forms.shift(form!, offset);
}

function difference(layout: Layout, [left, right]: readonly Operand[]): Form {
  const { forms, factors } = layout;
  if ('factor' in left!) {
    return forms.shift(forms.scale(layout.form((right as { image: Value }).image), -1), left.factor);
  }
  const form = layout.form(left!.image);
  if ('image' in right!) return forms.add(form, forms.scale(layout.form(right.image), -1));
  const { factor } = right!;
  if (typeof factor !== 'number' && layout.isMeanOf(factor, form)) return forms.center(form);
  return forms.shift(form, factors.mul(factor, -1));
}

function product(layout: Layout, [left, right]: readonly Operand[], output: Value): Form | undefined {
  if ('image' in left! && 'image' in right!) {
    const onlyMeans = output.consumers.every(isMean) && !layout.graph.isOutput(output);
    layout.defineProduct(output, layout.form(left.image), layout.form(right.image));
    if (!onlyMeans) layout.blocked(output);
    return undefined;
  }
  const [image, factor] = ('image' in left! ? [left, right] : [right, left]) as [
    { image: Value },
    { factor: Factor },
  ];
  return layout.forms.scale(layout.form(image.image), factor.factor);
}

function quotient(layout: Layout, [left, right]: readonly Operand[]): Form | undefined {
  if (!('image' in left!) || !('factor' in right!)) return undefined;
  return layout.forms.scale(layout.form(left.image), layout.factors.reciprocal(right.factor));
}

export const affineRules: Readonly<Record<string, Rule>> = {
  Add: affine(sum),
  Sum: affine(sum),
  Sub: affine(difference),
  Mul: affine(product),
  Div: affine(quotient),
  Neg: affine((layout, [x]) => layout.forms.scale(layout.form((x as { image: Value }).image), -1)),
};
