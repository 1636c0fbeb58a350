import { describe, it } from 'vitest';
import { type Case, checkGradients } from './check.js';
import { Random } from './random.js';

/** Draws a case; the random numbers decide shapes and attributes. */
type Draw = (random: Random) => Case;

/** A shape that broadcasts with `shape`: leading axes left out, some sizes 1. */
function broadcastable(random: Random, shape: readonly number[]): number[] {
  const rank = random.integer(0, shape.length);
  return shape.slice(shape.length - rank).map(size => (random.uniform() < 0.3 ? 1 : size));
}

/** Sizes from 0 to 3, zero seldom. */
const sizes = (random: Random, rank: number): number[] =>
  Array.from({ length: rank }, () => (random.uniform() < 0.1 ? 0 : random.integer(1, 3)));

function subset(random: Random, rank: number): number[] {
  return Array.from({ length: rank }, (_, i) => i).filter(() => random.uniform() < 0.5);
}

function shuffled(random: Random, rank: number): number[] {
  const perm = Array.from({ length: rank }, (_, i) => i);
  for (let i = rank - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [perm[i], perm[j]] = [perm[j]!, perm[i]!];
  }
  return perm;
}

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

const matMul: Draw = random => {
  const [m, k, n] = sizes(random, 3) as [number, number, number];
  const stack = sizes(random, random.integer(0, 2));
  const left = random.uniform() < 0.2 ? [k] : [...broadcastable(random, stack), m, k];
  const right = random.uniform() < 0.2 ? [k] : [...broadcastable(random, stack), k, n];
  const symbolic = random.uniform() < 0.5;
  return {
    variables: [
      { dims: left, symbolic },
      { dims: right, symbolic },
    ],
    build: (b, xs) => b.op('MatMul', xs),
    truth: 'float64',
  };
};

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

const layerNorm: Draw = random => {
  const dims = random
    .shape(random.integer(1, 3), 3)
    .map((size, i, all) => (i === all.length - 1 ? size + 1 : size));
  const axis = random.integer(0, dims.length - 1);
  const affine = dims.slice(axis);
  return {
    variables: [{ dims }, { dims: affine }, { dims: affine }],
    build: (b, xs) => b.op('LayerNormalization', xs, { axis, epsilon: 0.1 }),
    truth: 'float64',
  };
};

const slice: Draw = random => {
  const dims = sizes(random, random.integer(1, 3)).map(size => size + 2);
  const axes = subset(random, dims.length);
  const of = (low: number, high: number): number[] => axes.map(() => random.integer(low, high));
  const [starts, ends] = [of(-6, 6), of(-6, 6)];
  const steps = axes.map(() => random.pick([-3, -2, -1, 1, 1, 2, 3]));
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => (axes.length === 0 ? b.op('Identity', [x!]) : b.slice(x!, starts, ends, axes, steps)),
    truth: 'float64',
  };
};

const pad: Draw = random => {
  const dims = random.shape(random.integer(1, 3), 3).map(size => size + 2);
  const mode = random.pick(['constant', 'reflect', 'edge', 'wrap']);
  const low = mode === 'constant' ? -1 : 0;
  const pads = Array.from({ length: 2 * dims.length }, () => random.integer(low, 2));
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => b.op('Pad', [x!, b.ints(pads)], { mode }),
    truth: 'float64',
  };
};

const gather: Draw = random => {
  const dims = random.shape(random.integer(1, 3), 3);
  const axis = random.integer(0, dims.length - 1);
  const shape = sizes(random, random.integer(0, 2));
  const picks = Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () =>
    random.integer(-dims[axis]!, dims[axis]! - 1),
  );
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => b.op('Gather', [x!, b.reshape(b.ints(picks), shape)], { axis }),
    truth: 'float64',
  };
};

const concat: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  const axis = random.integer(0, dims.length - 1);
  const symbolic = random.uniform() < 0.5;
  return {
    variables: Array.from({ length: random.integer(1, 3) }, () => ({
      dims: dims.map((size, i) => (i === axis ? random.integer(0, 3) : size)),
      symbolic,
    })),
    build: (b, xs) => b.op('Concat', xs, { axis }),
    truth: 'float64',
  };
};

const transpose: Draw = random => {
  const dims = sizes(random, random.integer(1, 4));
  const perm = shuffled(random, dims.length);
  return { variables: [{ dims }], build: (b, xs) => b.op('Transpose', xs, { perm }), truth: 'float64' };
};

const tileAndExpand: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  const repeats = dims.map(() => random.integer(1, 3));
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => b.op('Tile', [x!, b.ints(repeats)]),
    truth: 'float64',
  };
};

/** A window that fits an axis, with stride, dilation and pads. */
function windowOf(
  random: Random,
  rank: number,
): Record<'kernel' | 'strides' | 'dilations' | 'pads' | 'size', number[]> {
  const of = (low: number, high: number, count = rank): number[] =>
    Array.from({ length: count }, () => random.integer(low, high));
  const [kernel, strides, dilations] = [of(1, 3), of(1, 3), of(1, 2)];
  const pads = of(0, 2, 2 * rank);
  const size = kernel.map((k, i) => {
    const reach = dilations[i]! * (k - 1) + 1;
    return Math.max(1, reach - pads[i]! - pads[i + rank]! + random.integer(0, 4));
  });
  return { kernel, strides, dilations, pads, size };
}

const conv: Draw = random => {
  const rank = random.integer(1, 2);
  const { kernel, strides, dilations, pads, size } = windowOf(random, rank);
  const group = random.integer(1, 3);
  const [perGroup, filters] = [random.integer(1, 2), random.integer(1, 2)];
  return {
    variables: [
      { dims: [random.integer(1, 2), group * perGroup, ...size], symbolic: random.uniform() < 0.5 },
      { dims: [group * filters, perGroup, ...kernel] },
    ],
    build: (b, xs) => b.op('Conv', xs, { strides, dilations, pads, group }),
    truth: 'multilinear',
  };
};

const convTranspose: Draw = random => {
  const rank = random.integer(1, 2);
  const { kernel, strides, dilations } = windowOf(random, rank);
  const group = random.integer(1, 3);
  const size = kernel.map(() => random.integer(1, 3));
  const reach = kernel.map((k, i) => strides[i]! * (size[i]! - 1) + dilations[i]! * (k - 1) + 1);
  const head = reach.map(r => random.integer(0, Math.min(1, Math.floor((r - 1) / 2))));
  return {
    variables: [
      { dims: [random.integer(1, 2), group * random.integer(1, 2), ...size] },
      { dims: [0, random.integer(1, 2), ...kernel] },
    ].map((v, i, all) => (i === 0 ? v : { dims: [all[0]!.dims[1]!, ...v.dims.slice(1)] })),
    build: (b, xs) =>
      b.op('ConvTranspose', xs, {
        strides,
        dilations,
        pads: [...head, ...head],
        output_padding: strides.map(s => random.integer(0, s - 1)),
        group,
      }),
    truth: 'multilinear',
  };
};

const pool =
  (op: string): Draw =>
  random => {
    const rank = random.integer(1, 2);
    const { kernel, strides, size } = windowOf(random, rank);
    // No window may lie in the padding alone.
    const pads = [...kernel, ...kernel].map(k => random.integer(0, Math.min(k - 1, 1)));
    const dims = [random.integer(1, 2), random.integer(1, 2), ...size.map((s, i) => Math.max(s, kernel[i]!))];
    return {
      variables: [{ dims }],
      build: (b, xs) =>
        b.op(op, xs, { kernel_shape: kernel, strides, pads, ceil_mode: random.integer(0, 1) }),
      truth: op === 'MaxPool' ? 'float64' : 'multilinear',
    };
  };

const DRAWS: Record<string, Draw> = {
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  Div: binary('Div'),
  Pow: binary('Pow'),
  Max: binary('Max'),
  Where: where,
  MatMul: matMul,
  ReduceSum: reduction('ReduceSum'),
  ReduceMean: reduction('ReduceMean'),
  ReduceMax: reduction('ReduceMax'),
  ReduceL2: reduction('ReduceL2'),
  ReduceLogSumExp: reduction('ReduceLogSumExp'),
  Softmax: normalized('Softmax'),
  LogSoftmax: normalized('LogSoftmax'),
  LayerNormalization: layerNorm,
  Slice: slice,
  Pad: pad,
  Gather: gather,
  Concat: concat,
  Transpose: transpose,
  Tile: tileAndExpand,
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool('MaxPool'),
  AveragePool: pool('AveragePool'),
};

describe('gradients at random shapes', () => {
  it.each(Object.entries(DRAWS))('%s', async (op, draw) => {
    for (let seed = 0; seed < 12; seed++) {
      const random = new Random(seed + 1000);
      const test = draw(random);
      try {
        await checkGradients(test, random);
      } catch (error) {
        const shapes = test.variables.map(v => `[${v.dims}]${v.symbolic ? ' symbolic' : ''}`).join(', ');
        throw new Error(`${op}, seed ${seed}, ${shapes}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});
