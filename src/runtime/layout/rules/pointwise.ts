import { imageDims } from '../layout.js';
import type { Rule } from './rule.js';

/** Operators that do the same to every element and give a finite number for a finite one, in any order of elements. */
const POINTWISE = [
  ...[
    'Abs',
    'Celu',
    'Elu',
    'Erf',
    'Gelu',
    'HardSigmoid',
    'HardSwish',
    'LeakyRelu',
    'Mish',
    'Selu',
    'Sigmoid',
  ],
  ...['Sign', 'Softplus', 'Softsign', 'Tanh'],
];

const pointwise: Rule = (node, layout) => {
  const x = node.inputs[0];
  const dims = imageDims(node.output);
  if (!dims || !layout.has(x)) return false;
  const { value } = layout.blocked(x);
  const result = layout.b.op(node.opType, [value], Object.fromEntries(node.attributes));
  layout.define(node.output, { value: result, dims });
  return true;
};

/** Of a form, in the pass that computes it. */
const relu: Rule = (node, layout) => {
  const x = node.inputs[0];
  if (!imageDims(node.output) || !layout.has(x)) return false;
  layout.define(node.output, layout.compute(layout.form(x), 'Relu'));
  return true;
};

export const pointwiseRules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(POINTWISE.map(op => [op, pointwise])),
  Relu: relu,
};
