import type { Random } from '../random.js';
import { broadcastable, type Draw, type Draws, half, sizes } from './draw.js';

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

const gemm: Draw = random => {
  const [m, k, n] = sizes(random, 3).map(size => Math.max(1, size)) as [number, number, number];
  const [transA, transB] = [half(random), half(random)];
  return {
    variables: [
      { dims: transA ? [k, m] : [m, k], symbolic: half(random) },
      { dims: transB ? [n, k] : [k, n], symbolic: half(random) },
      { dims: broadcastable(random, [m, n]) },
    ],
    build: (b, xs) =>
      b.op('Gemm', xs.slice(0, random.integer(2, 3)), {
        transA: Number(transA),
        transB: Number(transB),
        alpha: 0.7,
        beta: -1.3,
      }),
    truth: 'float64',
  };
};

/** Two operands over random letters: those that the result lacks are summed over. */
const einsum: Draw = random => {
  const letters = [...'abcd'];
  const size = Object.fromEntries(letters.map(letter => [letter, random.integer(1, 3)]));
  const some = (): string[] => {
    const chosen = letters.filter(() => half(random));
    return chosen.length > 0 ? chosen : ['a'];
  };
  const operands = half(random) ? [some(), some()] : [some()];
  const all = [...new Set(operands.flat())];
  const result = all.filter(() => half(random));
  return {
    variables: operands.map(names => ({ dims: names.map(name => size[name]!), symbolic: half(random) })),
    build: (b, xs) =>
      b.op('Einsum', xs, {
        equation: `${operands.map(names => names.join('')).join(',')}->${result.join('')}`,
      }),
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

export const PRODUCTS: Draws = {
  MatMul: matMul,
  Gemm: gemm,
  Einsum: einsum,
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool('MaxPool'),
  AveragePool: pool('AveragePool'),
};
