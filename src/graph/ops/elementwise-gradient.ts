import { isFloat } from '../dtype.js';
import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import type { Gradients, Vjp, VjpContext } from './vjp.js';

/** Gradient of y = f(x), given dy/dx as an expression of x and y. */
export const unary =
  (derivative: (b: Builder, x: Value, y: Value, context: VjpContext) => Value): Vjp =>
  context => [
    context.build.mul(
      context.gradient,
      derivative(context.build, context.input(0), context.output(0), context),
    ),
  ];

/** Gradient of a function of two values, each factor reduced to the shape of its operand. */
const binary =
  (left: (context: VjpContext) => Value, right: (context: VjpContext) => Value): Vjp =>
  context =>
    [left, right].map((term, i) =>
      context.needs(i) ? context.build.reduceLike(term(context), context.input(i)) : null,
    );

/** Piecewise constant: the derivative is zero wherever it exists. */
const zero: Vjp = () => [];

const passTo = (context: VjpContext): Value => context.gradient;

/** x^p: p·x^(p−1), which for the usual constant exponents needs no Pow. */
function powByBase({ build: b, gradient: g, input, numbers }: VjpContext): Value {
  const [x, p] = [input(0), input(1)];
  const constant = numbers(1);
  if (constant?.length === 1) {
    const exponent = constant[0]!;
    if (exponent === 0) return b.zerosLike(g);
    if (exponent === 1) return g;
    if (exponent === 2) return b.mul(g, b.mul(x, 2));
    return b.mul(g, b.mul(b.pow(x, exponent - 1), exponent));
  }
  const exponent = b.cast(p, x.dtype ?? 'float32');
  const slope = b.mul(exponent, b.pow(x, b.sub(exponent, 1)));
  // 0⁰ is constantly 1, but 0·0⁻¹ would be NaN.
  return b.mul(g, b.where(b.binary('Equal', exponent, 0), 0, slope));
}

/** x^p·ln x; zero where x is zero, for there y is constant in p > 0. */
function powByExponent({ build: b, gradient: g, input, output }: VjpContext): Value {
  const x = input(0);
  const flat = b.binary('Equal', x, 0);
  return b.mul(g, b.mul(output(0), b.op('Log', [b.where(flat, 1, x)])));
}

/** The largest or smallest operands share the gradient. */
const extremum: Vjp = ({ build: b, gradient: g, inputs, output, input }) => {
  if (inputs.length === 1) return [g];
  const winners = inputs.map((_, i) => b.indicator(b.binary('Equal', input(i), output(0)), g.dtype));
  const share = b.div(g, b.total(winners.map(w => b.expandLike(w, output(0)))));
  return winners.map((winner, i) => b.reduceLike(b.mul(share, winner), input(i)));
};

/** Zero outside of the bounds; what a bound cuts off goes to the bound. */
const clip: Vjp = ({ build: b, gradient: g, node, has, input, output, needs }) => {
  const [x, y] = [input(0), output(0)];
  const passed = b.where(b.binary('Equal', x, y), g, 0);
  if (node.inputs.length === 1) return [passed];
  const bound = (index: number, comparison: string): Value | null =>
    has(index) && needs(index)
      ? b.reduceLike(b.where(b.binary(comparison, x, input(index)), g, 0), input(index))
      : null;
  return [passed, bound(1, 'Less'), bound(2, 'Greater')];
};

/** x − y·⌊x/y⌋, or with `fmod` the quotient truncated. */
const modulo: Vjp = context => {
  const { build: b, gradient: g, input, output, needs } = context;
  const byDivisor = (): Value => {
    const quotient = b.op('Round', [b.div(b.sub(input(0), output(0)), input(1))]);
    return b.reduceLike(b.neg(b.mul(g, quotient)), input(1));
  };
  return [b.reduceLike(g, input(0)), needs(1) ? byDivisor() : null];
};

const inverseRoot = (b: Builder, inside: Value): Value => b.op('Reciprocal', [b.sqrt(inside)]);

export const elementwiseGradients: Gradients = {
  Abs: unary((b, x) => b.op('Sign', [x])),
  Neg: ({ build, gradient }) => [build.neg(gradient)],
  Sign: zero,
  Ceil: zero,
  Floor: zero,
  Round: zero,
  Sqrt: ({ build: b, gradient: g, output }) => [b.div(b.mul(g, 0.5), output(0))],
  Reciprocal: unary((b, _, y) => b.neg(b.square(y))),
  Exp: unary((_, __, y) => y),
  Log: ({ build, gradient, input }) => [build.div(gradient, input(0))],
  // 2/√π·exp(−x²)
  Erf: unary((b, x) => b.mul(b.exp(b.neg(b.square(x))), 2 / Math.sqrt(Math.PI))),
  Sin: unary((b, x) => b.op('Cos', [x])),
  Cos: unary((b, x) => b.neg(b.op('Sin', [x]))),
  Tan: unary((b, _, y) => b.add(b.square(y), 1)),
  Asin: unary((b, x) => inverseRoot(b, b.sub(1, b.square(x)))),
  Acos: unary((b, x) => b.neg(inverseRoot(b, b.sub(1, b.square(x))))),
  Atan: unary((b, x) => b.op('Reciprocal', [b.add(b.square(x), 1)])),
  Sinh: unary((b, x) => b.op('Cosh', [x])),
  Cosh: unary((b, x) => b.op('Sinh', [x])),
  Asinh: unary((b, x) => inverseRoot(b, b.add(b.square(x), 1))),
  Acosh: unary((b, x) => inverseRoot(b, b.sub(b.square(x), 1))),
  Atanh: unary((b, x) => b.op('Reciprocal', [b.sub(1, b.square(x))])),
  Add: binary(passTo, passTo),
  Sub: binary(passTo, ({ build, gradient }) => build.neg(gradient)),
  Mul: binary(
    ({ build, gradient, input }) => build.mul(gradient, input(1)),
    ({ build, gradient, input }) => build.mul(gradient, input(0)),
  ),
  Div: binary(
    ({ build, gradient, input }) => build.div(gradient, input(1)),
    ({ build: b, gradient: g, input, output }) => b.neg(b.mul(g, b.div(output(0), input(1)))),
  ),
  Pow: context => [
    context.build.reduceLike(powByBase(context), context.input(0)),
    context.needs(1) && isFloat(context.input(1).dtype)
      ? context.build.reduceLike(
          context.build.cast(powByExponent(context), context.input(1).dtype ?? 'float32'),
          context.input(1),
        )
      : null,
  ],
  Mod: modulo,
  Max: extremum,
  Min: extremum,
  Sum: ({ build, gradient, inputs, input }) => inputs.map((_, i) => build.reduceLike(gradient, input(i))),
  Mean: ({ build: b, gradient: g, inputs, input }) => {
    const share = b.div(g, inputs.length);
    return inputs.map((_, i) => b.reduceLike(share, input(i)));
  },
  Where: ({ build: b, gradient: g, input, needs }) => [
    null,
    needs(1) ? b.reduceLike(b.where(input(0), g, 0), input(1)) : null,
    needs(2) ? b.reduceLike(b.where(input(0), 0, g), input(2)) : null,
  ],
  Clip: clip,
};
