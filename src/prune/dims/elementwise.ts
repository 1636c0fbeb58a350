import type { Shape } from '../../graph/value.js';
import type { Axis } from '../labels.js';
import { type DimRule, type PassContext, Refusal } from './definition.js';

/** Axes with their sizes, of an operand or of a part of it. */
export interface Operand {
  readonly shape: Shape;
  readonly axes: readonly Axis[];
}

export const operand = (c: PassContext, input: number): Operand => ({
  shape: c.shape(input),
  axes: c.axes(input),
});

/** Joins the axes of operands that are broadcast to each other, and gives those of the result. */
export function broadcast(c: PassContext, operands: readonly Operand[]): Axis[] {
  const rank = Math.max(...operands.map(({ shape }) => shape.length));
  return Array.from({ length: rank }, (_, at) => {
    let joined: Axis | undefined;
    for (const { shape, axes } of operands) {
      const axis = at - (rank - shape.length);
      if (axis < 0 || shape[axis] === 1) continue;
      joined = joined === undefined ? axes[axis]! : c.join(joined, axes[axis]!);
    }
    return joined ?? SINGLE;
  });
}

const SINGLE = 'it has one index only';

const present = (c: PassContext): Operand[] =>
  c.node.inputs.flatMap((value, i) => (value ? [operand(c, i)] : []));

const unary: DimRule = {
  ops: (
    'Identity Cast Dropout Relu LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Softplus Softsign Tanh Gelu Mish ' +
    'ThresholdedRelu Erf Exp Log Sqrt Reciprocal Abs Neg Sign Floor Ceil Round Sin Cos Tan Asin Acos Atan Sinh Cosh ' +
    'Asinh Acosh Atanh Not IsNaN IsInf Clip Shrink Swish'
  ).split(' '),
  pass: c => c.out(0, c.axes(0)),
};

const nary: DimRule = {
  ops: (
    'Add Sub Mul Div Pow Mod Min Max Mean Sum Where PRelu Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor ' +
    'BitwiseAnd BitwiseOr BitwiseXor'
  ).split(' '),
  pass(c) {
    // Before opset 7 a shorter operand could stand anywhere.
    if (c.opset < 7 && c.node.int('broadcast', 0) === 1)
      throw new Refusal('it broadcasts as operators did before opset 7');
    c.out(0, broadcast(c, present(c)));
  },
};

/** Fused forms of ONNX Runtime. */
const fused: DimRule = {
  ops: ['Gelu', 'FastGelu', 'BiasGelu', 'QuickGelu'],
  domain: 'com.microsoft',
  pass: c => c.out(0, broadcast(c, present(c))),
};

export const ELEMENTWISE = [unary, nary, fused];
