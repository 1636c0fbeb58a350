import { FORMULAS } from '../formulas.js';
import { broadcastable, count, type Draw, type Draws, half, integers, sizes } from './draw.js';

const binary =
  (op: string): Draw =>
  random => {
    const shape = sizes(random, random.integer(0, 3));
    const symbolic = random.uniform() < 0.5;
    const both = [broadcastable(random, shape), broadcastable(random, shape)];
    return {
      variables: both.map(dims => ({ dims, symbolic, from: [0.4, 2] as const })),
      build: (b, xs) => b.op(op, xs),
      truth: 'float64',
    };
  };

/** Operators of any number of values. */
const several =
  (op: string): Draw =>
  random => {
    const shape = sizes(random, random.integer(0, 3));
    const symbolic = half(random);
    return {
      variables: integers(random, 3, 0, 0).map(() => ({ dims: broadcastable(random, shape), symbolic })),
      build: (b, xs) => b.op(op, xs.slice(0, random.integer(1, 3))),
      truth: 'multilinear',
    };
  };

const where: Draw = random => {
  const shape = sizes(random, random.integer(1, 3));
  const condition = broadcastable(random, shape).map(size => Math.max(1, size));
  return {
    variables: [{ dims: broadcastable(random, shape) }, { dims: broadcastable(random, shape) }],
    build: (b, [x, y]) => {
      const pattern = Array.from({ length: condition.reduce((p, d) => p * d, 1) }, (_, i) => i % 2);
      return b.where(b.cast(b.reshape(b.ints(pattern), condition), 'bool'), x!, y!);
    },
    truth: 'float64',
  };
};

const unary =
  (op: string, from: readonly [number, number]): Draw =>
  random => ({
    variables: [{ dims: sizes(random, random.integer(0, 3)), from, symbolic: half(random) }],
    build: (b, xs) => b.op(op, xs),
    truth: 'float64',
  });

/** A function of one value without a float64 kernel, against its formula. */
const formula =
  (op: string, variants: typeof FORMULAS): Draw =>
  random => {
    const [, f, attributes = {}, from = [-2, 2] as const] = random.pick(variants);
    return {
      variables: [{ dims: sizes(random, random.integer(0, 3)), from, symbolic: half(random) }],
      build: (b, xs) => b.op(op, xs, attributes),
      truth: x => [x.map(f)],
    };
  };

const clip: Draw = random => ({
  variables: [
    { dims: sizes(random, random.integer(0, 3)), symbolic: half(random) },
    { dims: [], from: [-0.9, -0.3] },
    { dims: [], from: [0.3, 0.9] },
  ],
  build: (b, [x, low, high]) => b.op('Clip', [x!, half(random) ? low! : null, half(random) ? high! : null]),
  truth: 'float64',
});

/** Both kinds of remainder; the floored one is for whole numbers in ONNX Runtime. */
const mod: Draw = random => {
  const shape = sizes(random, random.integer(1, 3));
  return {
    // Quotients between 1.2 and 1.9: no kink is near.
    variables: [
      { dims: shape, from: [2.1, 2.4] },
      { dims: broadcastable(random, shape), from: [1.3, 1.7] },
    ],
    build: (b, xs) => b.op('Mod', xs, { fmod: 1 }),
    truth: 'float64',
  };
};

const pRelu: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  return {
    // Away from the kink.
    variables: [{ dims, from: half(random) ? [0.3, 2] : [-2, -0.3] }, { dims: broadcastable(random, dims) }],
    build: (b, xs) => b.op('PRelu', xs),
    truth: 'multilinear',
  };
};

const dropout: Draw = random => ({
  variables: [{ dims: sizes(random, random.integer(0, 3)), symbolic: half(random) }],
  build: (b, xs) => b.op('Dropout', xs),
  truth: 'float64',
});

const cast =
  (op: string): Draw =>
  random => ({
    variables: [{ dims: sizes(random, random.integer(0, 3)), symbolic: half(random) }],
    build: (b, [x]) => {
      const wide = op === 'Cast' ? b.cast(x!, 'float32') : b.op(op, [x!, b.scalar(0, 'float32')]);
      return b.op('CastLike', [b.mul(wide, 3), x!]);
    },
    // Differences of float32 are too coarse for a small step.
    truth: 'multilinear',
  });

/** Piecewise constant: the gradient is zero between the steps. */
const flat =
  (op: string): Draw =>
  random => {
    const dims = sizes(random, random.integer(1, 2));
    const values = Array.from({ length: count(dims) }, (_, i) => i + 0.3);
    return { variables: [{ dims, values }], build: (b, xs) => b.op(op, xs), truth: 'multilinear' };
  };

const FLOAT64: Readonly<Record<string, readonly [number, number]>> = {
  Abs: [0.2, 2],
  Neg: [-2, 2],
  Sqrt: [0.3, 3],
  Reciprocal: [0.4, 2],
  Exp: [-2, 2],
  Log: [0.3, 3],
  Sin: [-2, 2],
  Cos: [-2, 2],
};

const formulas = Object.fromEntries(
  [...new Set(FORMULAS.map(([op]) => op))].map(op => [
    op,
    formula(
      op,
      FORMULAS.filter(f => f[0] === op),
    ),
  ]),
);

export const ELEMENTWISE: Draws = {
  ...Object.fromEntries(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min'].map(op => [op, binary(op)])),
  ...Object.fromEntries(['Sum', 'Mean'].map(op => [op, several(op)])),
  ...Object.fromEntries(Object.entries(FLOAT64).map(([op, from]) => [op, unary(op, from)])),
  ...Object.fromEntries(['Sign', 'Floor', 'Ceil', 'Round', 'Hardmax'].map(op => [op, flat(op)])),
  ...formulas,
  Where: where,
  Clip: clip,
  Mod: mod,
  PRelu: pRelu,
  Dropout: dropout,
  Cast: cast('Cast'),
  CastLike: cast('CastLike'),
};
