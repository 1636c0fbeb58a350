import { addDims, floorDiv, mulDims, sameDim, subDims } from '../dims.js';
import { type DType, isFloat } from '../dtype.js';
import { sizeOf } from '../tensor.js';
import type { Dim } from '../value.js';
import { broadcastShapes, mapElements } from './broadcast.js';
import { type CostContext, defineOp, flops, type InferContext, type OpDefinition } from './definition.js';
import { elementwiseGradients } from './elementwise-gradient.js';
import { withGradients } from './vjp.js';

/** Copies type and shape of the first input to the first output. */
export function sameAsFirst(context: InferContext): void {
  context.set(0, context.dtype(0), context.shape(0));
}

/** Arithmetic steps for each element of the first output. */
export const perElement =
  (steps: number) =>
  (context: CostContext): ReturnType<typeof flops> =>
    flops(steps * sizeOf(context.outputShape(0)));

/** The dtype that all of these inputs share. @throws by `context.fail` where two differ */
export function commonDType(context: InferContext, inputs: readonly number[]): DType | undefined {
  let common: DType | undefined;
  for (const input of inputs) {
    const dtype = context.has(input) ? context.dtype(input) : undefined;
    if (common && dtype && dtype !== common) {
      context.fail(
        `${context.node.opType} takes inputs of one dtype, but has ${common} and ${dtype}`,
        'Insert a Cast',
      );
    }
    common ??= dtype;
  }
  return common;
}

interface Options {
  /** Arithmetic steps per element. */
  readonly steps?: number;
  /** What it does to known numbers; symbolic ones stay only where `symbolic` says how. */
  readonly number?: (...values: number[]) => number;
  readonly symbolic?: (...values: Dim[]) => Dim;
  readonly output?: DType;
}

/** Rounds as the dtype of the tensor does, so that computed sizes are those of the runtime. */
function round(dtype: DType | undefined, value: number): number {
  if (dtype === 'float32') return Math.fround(value);
  if (dtype === undefined || isFloat(dtype)) return value;
  return Math.trunc(value) + 0; // integers have no negative zero
}

function applyTo(dtype: DType | undefined, options: Options): (...values: Dim[]) => Dim {
  return (...values) => {
    if (values.every(v => typeof v === 'number') && options.number) {
      return round(dtype, options.number(...values));
    }
    return options.symbolic?.(...values) ?? null;
  };
}

function unary(op: string, options: Options = {}): OpDefinition {
  return defineOp({
    op,
    infer(context) {
      const dtype = options.output ?? context.dtype(0);
      context.set(0, dtype, context.shape(0));
      if (options.number || options.symbolic) {
        context.setElements(0, mapElements(context, [context.elements(0)], applyTo(dtype, options)));
      }
    },
    cost: perElement(options.steps ?? 1),
  });
}

/** An operator on two or more inputs with numpy's broadcasting. */
function broadcasting(op: string, options: Options = {}): OpDefinition {
  return defineOp({
    op,
    infer(context) {
      const inputs = context.node.inputs.map((_, i) => i);
      const dtype = commonDType(context, inputs);
      const shape = broadcastShapes(
        context,
        inputs.map(i => context.shape(i)),
      );
      context.set(0, options.output ?? dtype, shape);
      if (options.number || options.symbolic) {
        const elements = inputs.map(i => context.elements(i));
        context.setElements(0, mapElements(context, elements, applyTo(dtype, options)));
      }
    },
    cost(context) {
      return flops(Math.max(1, context.node.inputs.length - 1) * sizeOf(context.outputShape(0)));
    },
  });
}

const compare = (op: string, number: (a: number, b: number) => boolean): OpDefinition =>
  broadcasting(op, { output: 'bool', number: (a, b) => Number(number(a, b)) });

const logical = (op: string, number: (a: boolean, b: boolean) => boolean): OpDefinition =>
  broadcasting(op, { output: 'bool', number: (a, b) => Number(number(a !== 0, b !== 0)) });

/** Whether two sizes are equal, 0 or 1, where that is sure; no size is negative (PyTorch compares with -1). */
function equalSizes(a: Dim, b: Dim): Dim {
  if (sameDim(a, b)) return 1;
  const negative = (dim: Dim): boolean => typeof dim === 'number' && dim < 0;
  const size = (dim: Dim): boolean => typeof dim === 'string' && !dim.includes('-');
  return (negative(a) && size(b)) || (negative(b) && size(a)) ? 0 : null;
}

/** Round half to even, as ONNX says. */
function roundEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const div = defineOp({
  op: 'Div',
  infer(context) {
    const dtype = commonDType(context, [0, 1]);
    context.set(0, dtype, broadcastShapes(context, [context.shape(0), context.shape(1)]));
    const divide = applyTo(dtype, {
      number: (a, b) => a / b,
      // Sizes are not negative, so truncation is the floor; of floating-point numbers there is no floor.
      symbolic: (a, b) => (isFloat(dtype) ? null : floorDiv(a, b)),
    });
    context.setElements(0, mapElements(context, [context.elements(0), context.elements(1)], divide));
  },
  cost: perElement(1),
});

/** The exponent of Pow and the shift of BitShift may be of another dtype. */
const ofFirstDType = (op: string): OpDefinition =>
  defineOp({
    op,
    infer(context) {
      context.set(0, context.dtype(0), broadcastShapes(context, [context.shape(0), context.shape(1)]));
    },
    cost: perElement(1),
  });

const mod = defineOp({
  op: 'Mod',
  infer(context) {
    const dtype = commonDType(context, [0, 1]);
    context.set(0, dtype, broadcastShapes(context, [context.shape(0), context.shape(1)]));
    // The sign of the divisor, as Python has it; with `fmod` that of the dividend.
    const fmod = context.node.int('fmod', 0) !== 0;
    const remainder = applyTo(dtype, {
      number: (a, b) => (fmod ? a % b : a - b * Math.floor(a / b)),
    });
    const elements = [context.elements(0), context.elements(1)];
    if (elements[1]?.values.includes(0)) return;
    context.setElements(0, mapElements(context, elements, remainder));
  },
  cost: perElement(1),
});

const where = defineOp({
  op: 'Where',
  infer(context) {
    const shapes = [0, 1, 2].map(i => context.shape(i));
    context.set(0, commonDType(context, [1, 2]), broadcastShapes(context, shapes));
    const elements = [0, 1, 2].map(i => context.elements(i));
    const choose = (condition: Dim, yes: Dim, no: Dim): Dim => {
      if (typeof condition === 'number') return condition !== 0 ? yes : no;
      return yes === no ? yes : null;
    };
    context.setElements(0, mapElements(context, elements, choose));
  },
});

const clip = defineOp({
  op: 'Clip',
  infer(context) {
    sameAsFirst(context);
  },
  cost: perElement(2),
});

export const elementwise: readonly OpDefinition[] = withGradients(
  [
    unary('Abs', { number: x => Math.abs(x) }),
    unary('Neg', { number: x => -x, symbolic: x => mulDims(x, -1) }),
    unary('Sign', { number: x => Math.sign(x) }),
    unary('Ceil', { number: x => Math.ceil(x), symbolic: x => x }),
    unary('Floor', { number: x => Math.floor(x), symbolic: x => x }),
    unary('Round', { number: x => roundEven(x), symbolic: x => x }),
    unary('Sqrt', { number: x => Math.sqrt(x) }),
    unary('Reciprocal', { number: x => 1 / x }),
    unary('Exp'),
    unary('Log'),
    unary('Erf'),
    ...'Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh'.split(' ').map(op => unary(op)),
    unary('BitwiseNot'),
    unary('Not', { output: 'bool', number: x => Number(x === 0) }),
    unary('IsNaN', { output: 'bool' }),
    unary('IsInf', { output: 'bool' }),
    broadcasting('Add', { number: (a, b) => a + b, symbolic: (a, b) => addDims(a, b) }),
    broadcasting('Sub', { number: (a, b) => a - b, symbolic: (a, b) => subDims(a, b) }),
    broadcasting('Mul', { number: (a, b) => a * b, symbolic: (a, b) => mulDims(a, b) }),
    div,
    ofFirstDType('Pow'),
    ofFirstDType('BitShift'),
    mod,
    ...'BitwiseAnd BitwiseOr BitwiseXor'.split(' ').map(op => broadcasting(op)),
    broadcasting('Max', { number: (...values) => Math.max(...values) }),
    broadcasting('Min', { number: (...values) => Math.min(...values) }),
    broadcasting('Sum'),
    broadcasting('Mean'),
    broadcasting('Equal', {
      output: 'bool',
      number: (a, b) => Number(a === b),
      symbolic: (a, b) => equalSizes(a, b),
    }),
    compare('Greater', (a, b) => a > b),
    compare('GreaterOrEqual', (a, b) => a >= b),
    compare('Less', (a, b) => a < b),
    compare('LessOrEqual', (a, b) => a <= b),
    logical('And', (a, b) => a && b),
    logical('Or', (a, b) => a || b),
    logical('Xor', (a, b) => a !== b),
    where,
    clip,
  ],
  elementwiseGradients,
);
