import { type Draw, type Draws, half, sizes, subset } from './draw.js';

const reduction =
  (op: string): Draw =>
  random => {
    const dims = sizes(random, random.integer(1, 3)).map(size => Math.max(1, size));
    const axes = subset(random, dims.length);
    const keepdims = random.integer(0, 1);
    return {
      variables: [{ dims, from: [0.4, 2], symbolic: random.uniform() < 0.5 }],
      build: (b, [x]) => b.op(op, axes.length > 0 ? [x!, b.ints(axes)] : [x!], { keepdims }),
      truth: 'float64',
    };
  };

/** ReduceSum alone adds up nothing at all. */
const reduceSum: Draw = random => {
  if (random.uniform() < 0.7) return reduction('ReduceSum')(random);
  const dims = sizes(random, random.integer(1, 3)).map((size, i) => (i === 0 ? 0 : size));
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, [x]) => b.sum(x!, [0], half(random)),
    truth: 'float64',
  };
};

const cumSum: Draw = random => {
  const dims = sizes(random, random.integer(1, 3)).map(size => Math.max(1, size));
  const axis = random.integer(-dims.length, dims.length - 1);
  const [exclusive, reverse] = [random.integer(0, 1), random.integer(0, 1)];
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, [x]) => b.op('CumSum', [x!, b.scalar(axis, 'int64')], { exclusive, reverse }),
    truth: 'float64',
  };
};

const topK: Draw = random => {
  const dims = random.shape(random.integer(1, 3), 4);
  const axis = random.integer(0, dims.length - 1);
  const [k, largest] = [random.integer(1, dims[axis]!), random.integer(0, 1)];
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, [x]) => b.node('TopK', [x!, b.ints([k])], { axis, largest }, 2).output,
    truth: 'float64',
  };
};

const normalized =
  (op: string): Draw =>
  random => {
    const dims = random.shape(random.integer(1, 3), 3);
    return {
      variables: [{ dims }],
      build: (b, xs) => b.op(op, xs, { axis: random.integer(-dims.length, dims.length - 1) }),
      truth: 'float64',
    };
  };

const REDUCTIONS =
  'ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ReduceProd';

export const REDUCING: Draws = {
  ...Object.fromEntries(REDUCTIONS.split(' ').map(op => [op, reduction(op)])),
  ReduceSum: reduceSum,
  CumSum: cumSum,
  TopK: topK,
  Softmax: normalized('Softmax'),
  LogSoftmax: normalized('LogSoftmax'),
};
