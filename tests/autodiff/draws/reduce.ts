import type { Value } from '../../../src/graph/index.js';
import { apart, count, type Draw, type Draws, half, sizes, subset } from './draw.js';

/** Of nothing these are infinite or not a number; the others are 0 or 1. */
const NEED_SOMETHING = new Set(['ReduceMax', 'ReduceMin', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMean']);

/** Over axes that are constants, that only the run tells, or all or none where none are given. */
const reduction =
  (op: string): Draw =>
  random => {
    const rank = random.integer(1, 3);
    const axes = subset(random, rank);
    const [keepdims, noop] = [random.integer(0, 1), random.integer(0, 1)];
    const reduced = (axis: number): boolean => (axes.length > 0 ? axes.includes(axis) : noop === 0);
    const dims = sizes(random, rank).map((size, axis) =>
      NEED_SOMETHING.has(op) && reduced(axis) ? Math.max(1, size) : size,
    );
    const hidden = random.uniform() < 0.3;
    const zeros = op === 'ReduceProd' && half(random);
    return {
      variables: [
        {
          dims,
          from: [0.4, 2],
          symbolic: half(random),
          ...(/Max|Min/.test(op) && { values: apart(random, dims) }),
          ...(zeros && { values: Array.from({ length: count(dims) }, () => random.pick([0, 0.5, 1.5, 2])) }),
        },
      ],
      build: (b, [x]) => {
        const nothing = (): Value => b.cast(b.mul(b.op('ReduceSum', [x!], { keepdims: 0 }), 0), 'int64');
        const given = hidden ? b.add(b.ints(axes), nothing()) : b.ints(axes);
        const left = axes.length === 0 && !hidden;
        return b.op(op, left ? [x!] : [x!, given], { keepdims, noop_with_empty_axes: noop });
      },
      truth: 'float64',
    };
  };

const cumSum: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  const axis = random.integer(-dims.length, dims.length - 1);
  const [exclusive, reverse] = [random.integer(0, 1), random.integer(0, 1)];
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, [x]) => b.op('CumSum', [x!, b.scalar(axis, 'int64')], { exclusive, reverse }),
    truth: 'float64',
  };
};

/** ONNX Runtime's process ends where there is nothing to choose from. */
const topK: Draw = random => {
  const dims = random.shape(random.integer(1, 3), 4);
  const axis = random.integer(0, dims.length - 1);
  const [k, largest] = [random.integer(1, dims[axis]!), random.integer(0, 1)];
  return {
    variables: [{ dims, values: apart(random, dims), symbolic: half(random) }],
    build: (b, [x]) => b.node('TopK', [x!, b.ints([k])], { axis, largest }, 2).output,
    truth: 'float64',
  };
};

const normalized =
  (op: string): Draw =>
  random => {
    const dims = sizes(random, random.integer(1, 3));
    return {
      variables: [{ dims, symbolic: half(random) }],
      build: (b, xs) => b.op(op, xs, { axis: random.integer(-dims.length, dims.length - 1) }),
      truth: 'float64',
    };
  };

const REDUCTIONS =
  'ReduceSum ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ReduceProd';

export const REDUCING: Draws = {
  ...Object.fromEntries(REDUCTIONS.split(' ').map(op => [op, reduction(op)])),
  CumSum: cumSum,
  TopK: topK,
  Softmax: normalized('Softmax'),
  LogSoftmax: normalized('LogSoftmax'),
};
