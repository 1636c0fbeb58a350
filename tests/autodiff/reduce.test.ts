import { describe, it } from 'vitest';
import { checkGradients } from './check.js';
import { Random } from './random.js';

const OPS: Record<string, readonly [number, number]> = {
  ReduceSum: [-1.5, 1.5],
  ReduceMean: [-1.5, 1.5],
  ReduceL1: [0.2, 2],
  ReduceL2: [-1.5, 1.5],
  ReduceLogSum: [0.3, 2],
  ReduceLogSumExp: [-1.5, 1.5],
  ReduceSumSquare: [-1.5, 1.5],
  ReduceProd: [0.5, 1.5],
  ReduceMax: [-1.5, 1.5],
  ReduceMin: [-1.5, 1.5],
};

describe('gradients of reductions', () => {
  it.each(Object.entries(OPS))('%s', async (op, from) => {
    const random = new Random(1);
    for (const opset of [17, 21]) {
      for (const axes of [undefined, [0], [-1], [0, 2], [1]]) {
        for (const keepdims of [0, 1]) {
          const asInput = opset >= 18 || op === 'ReduceSum';
          await checkGradients(
            {
              variables: [{ dims: [2, 3, 2], from, symbolic: keepdims === 0 }],
              build: (b, [x]) =>
                b.op(op, axes && asInput ? [x!, b.ints(axes)] : [x!], {
                  keepdims,
                  ...(axes && !asInput && { axes }),
                }),
              truth: 'float64',
              opset,
            },
            random,
          );
        }
      }
    }
  });

  it('ReduceProd around zeros', async () => {
    for (const values of [
      [0, 2, 3],
      [0, 0, 3],
      [1, 2, 3],
    ]) {
      await checkGradients(
        { variables: [{ dims: [3], values }], build: (b, xs) => b.op('ReduceProd', xs), truth: 'float64' },
        new Random(2),
      );
    }
  });

  it('ReduceProd around zeros, over axes that only the run tells', async () => {
    for (const keepdims of [0, 1]) {
      await checkGradients(
        {
          variables: [{ dims: [2, 3], values: [0, 1, 2, 3, 0, 5], symbolic: true }],
          build: (b, [x]) => {
            const zero = b.cast(b.mul(b.op('ReduceSum', [x!], { keepdims: 0 }), 0), 'int64');
            const axis = b.add(b.ints([1]), zero);
            return b.op('ReduceProd', [x!, axis], { keepdims });
          },
          truth: 'float64',
        },
        new Random(2),
      );
    }
  });

  it('ReduceProd of none of its axes', async () => {
    await checkGradients(
      {
        variables: [{ dims: [2, 3], values: [0, 1, 2, 3, 0, 5] }],
        build: (b, xs) => b.op('ReduceProd', xs, { noop_with_empty_axes: 1 }),
        truth: 'float64',
      },
      new Random(2),
    );
  });

  it('a mean over a batch that turns out empty', async () => {
    await checkGradients(
      {
        variables: [{ dims: [0, 2, 3], symbolic: true }],
        build: (b, [x]) => b.op('ReduceMean', [x!, b.ints([2])]),
        truth: 'float64',
      },
      new Random(2),
    );
  });

  it('ReduceSum of nothing', async () => {
    await checkGradients(
      { variables: [{ dims: [2, 0] }], build: (b, [x]) => b.sum(x!, [1]), truth: 'float64' },
      new Random(3),
    );
  });

  it.each([
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ])('CumSum, exclusive %i, reverse %i', async (exclusive, reverse) => {
    await checkGradients(
      {
        variables: [{ dims: [2, 4] }],
        build: (b, [x]) => b.op('CumSum', [x!, b.scalar(1, 'int64')], { exclusive, reverse }),
        truth: 'float64',
      },
      new Random(4),
    );
  });

  it('TopK', async () => {
    await checkGradients(
      {
        variables: [{ dims: [3, 5] }],
        build: (b, [x]) => b.node('TopK', [x!, b.ints([2])], { axis: -1 }, 2).output,
        truth: 'float64',
      },
      new Random(5),
    );
  });
});
