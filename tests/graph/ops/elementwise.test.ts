import { describe, expect, it } from 'vitest';
import { expectShapes } from './compare.js';

describe('elementwise operators', () => {
  it('keep the shape of one input', async () => {
    const known = await expectShapes(c => {
      const x = c.input(c.random.shape(c.random.int(0, 4)));
      for (const op of 'Abs Neg Sign Ceil Floor Round Sqrt Reciprocal Exp Log Erf Sin Cos Tan Asin Acos Atan'.split(
        ' ',
      )) {
        c.op(op, [x]);
      }
      for (const op of 'Sinh Cosh Asinh Acosh Atanh IsNaN IsInf Identity'.split(' ')) c.op(op, [x]);
      c.op('Not', [c.input(c.random.shape(2), 'bool')]);
      c.op('Clip', [x, c.scalar(-1, 'float32'), c.scalar(1, 'float32')]);
    });
    expect(known).toBe(1);
  });

  it('broadcast', async () => {
    await expectShapes(
      c => {
        const shape = c.random.shape(c.random.int(1, 4));
        const other = shape.slice(c.random.int(0, shape.length)).map(dim => c.random.pick(1, dim));
        const [a, b] = c.random.shuffle([shape, other]) as [number[], number[]];
        const [x, y] = [c.input(a), c.input(b)];
        for (const op of 'Add Sub Mul Div Pow Max Min Sum Mean'.split(' ')) c.op(op, [x, y]);
        for (const op of 'Equal Greater GreaterOrEqual Less LessOrEqual'.split(' ')) c.op(op, [x, y]);
        const [p, q] = [c.input(a, 'bool'), c.input(b, 'bool')];
        for (const op of 'And Or Xor'.split(' ')) c.op(op, [p, q]);
        c.op('Where', [p, x, y]);
        c.op('Where', [q, c.scalar(1, 'float32'), x]);
        const [i, j] = [c.input(a, 'int32'), c.input(b, 'int32')];
        for (const op of 'BitwiseAnd BitwiseOr BitwiseXor'.split(' ')) c.op(op, [i, j]);
        c.op('Mod', [x, c.op('Add', [c.op('Abs', [y]), c.scalar(1, 'float32')])], { fmod: 1 });
        c.op('Max', [x, y, c.scalar(0, 'float32')]);
      },
      { seeds: 12 },
    );
  });

  it('compute with known elements as the runtime does', async () => {
    await expectShapes(c => {
      const a = c.ints(...c.random.shape(3, 1, 9));
      const b = c.ints(...c.random.shape(3, 1, 9));
      const f = c.floats(...c.random.shape(3, 1, 9).map(v => v / 4));
      for (const op of 'Add Sub Mul Div Max Min Equal Less Greater'.split(' ')) c.op(op, [a, b]);
      for (const op of 'Floor Ceil Round Sqrt Reciprocal Neg Abs Sign'.split(' ')) c.op(op, [f]);
      c.op('Mul', [f, c.scalar(1.1, 'float32')]);
      c.op('Where', [c.op('Less', [a, b]), a, b]);
      for (const fmod of [0, 1]) c.op('Mod', [c.op('Sub', [a, c.scalar(5)]), b], { fmod });
    });
  });
});

describe('activations', () => {
  it('keep the shape', async () => {
    const known = await expectShapes(c => {
      const x = c.input(c.random.shape(c.random.int(1, 4)));
      for (const op of 'Relu LeakyRelu ThresholdedRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish'.split(
        ' ',
      )) {
        c.op(op, [x]);
      }
      for (const op of 'Tanh Softplus Softsign Mish Gelu Softmax LogSoftmax Hardmax Shrink'.split(' ')) {
        c.op(op, [x]);
      }
      c.op('PRelu', [x, c.weight([1])]);
      c.graph.node('Dropout', [x], {}, { outputs: 2 });
      for (const op of 'Gelu QuickGelu'.split(' ')) c.microsoft(op, [x]);
      c.microsoft('FastGelu', [x]);
    });
    expect(known).toBe(1);
  });
});
