import type { Case } from '../check.js';
import type { Random } from '../random.js';
import { apart, broadcastable, type Draw, type Draws, few, half, sizes } from './draw.js';

const matMul: Draw = random => {
  const [m, k, n] = sizes(random, 3) as [number, number, number];
  const stack = sizes(random, random.integer(0, 2));
  const symbolic = half(random);
  const build: Case['build'] = (b, xs) => b.op('MatMul', xs);
  if ([m, k, n, ...stack].includes(0)) {
    // ONNX Runtime broadcasts nothing over no matrices, but for a matrix on the right.
    const right = half(random) ? [k, n] : [...stack, k, n];
    return {
      variables: [
        { dims: [...stack, m, k], symbolic },
        { dims: right, symbolic },
      ],
      build,
      truth: 'float64',
    };
  }
  const left = random.uniform() < 0.2 ? [k] : [...broadcastable(random, stack), m, k];
  const right = random.uniform() < 0.2 ? [k] : [...broadcastable(random, stack), k, n];
  return {
    variables: [
      { dims: left, symbolic },
      { dims: right, symbolic },
    ],
    build,
    truth: 'float64',
  };
};

const gemm: Draw = random => {
  const [m, k, n] = sizes(random, 3) as [number, number, number];
  const [transA, transB] = [half(random), half(random)];
  // ONNX Runtime adds C as it is to a product over nothing.
  const beta = k === 0 ? 1 : -1.3;
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
        beta,
      }),
    truth: 'float64',
  };
};

/**
 * Operands over random letters: those that the result lacks are summed over. A letter may stand twice in an operand
 * (its diagonal), may have one entry in one operand and several in another, and all may share an ellipsis.
 */
const einsum: Draw = random => {
  const letters = [...'abcd'];
  const hidden = random.uniform() < 0.2 ? random.shape(random.integer(1, 2), 3) : [];
  const diagonal = random.uniform() < 0.3;
  const some = (): string[] => {
    const chosen = letters.filter(() => half(random));
    if (chosen.length === 0) return ['a'];
    return diagonal ? [...chosen, random.pick(chosen)] : chosen;
  };
  const operands = half(random) ? [some(), some()] : [some()];
  const all = [...new Set(operands.flat())];
  const result = all.filter(() => half(random));
  // ONNX Runtime's process ends at sizes of 0 in many an Einsum of two operands, of a diagonal or an ellipsis.
  const mayBeEmpty = operands.length === 1 && hidden.length === 0 && !diagonal;
  const empty = (): boolean => mayBeEmpty && few(random, 1) === 0;
  const size = Object.fromEntries(all.map(name => [name, empty() ? 0 : random.integer(1, 3)]));
  const isEmpty = Object.values(size).includes(0);
  const thin = (): boolean => !diagonal && !isEmpty && random.uniform() < 0.1;
  const dots = hidden.length > 0 ? '...' : '';
  const term = (names: readonly string[]): string => dots + names.join('');
  const equation = `${operands.map(term).join(',')}->${term(result)}`;
  return {
    variables: operands.map(names => ({
      dims: [...hidden, ...names.map(name => (thin() ? 1 : size[name]!))],
      symbolic: half(random),
    })),
    build: (b, xs) => b.op('Einsum', xs, { equation }),
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

const AUTO_PADS = ['NOTSET', 'NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'];

/**
 * Attributes of a window with pads or `auto_pad`, and input sizes that it fits. Of an open size `auto_pad` follows
 * only without strides; ONNX Runtime has no dilated one.
 */
function paddedWindow(random: Random, rank: number, symbolic: boolean) {
  const { kernel, dilations, pads, strides, size } = windowOf(random, rank);
  const autoPad = random.pick(AUTO_PADS);
  if (autoPad === 'NOTSET') return { kernel, size, attributes: { strides, dilations, pads } };
  const attributes = { strides, dilations, auto_pad: autoPad };
  if (autoPad === 'VALID') {
    const reach = kernel.map((k, i) => dilations[i]! * (k - 1) + 1);
    return { kernel, size: reach.map((r, i) => r + size[i]! - 1), attributes };
  }
  const ones = kernel.map(() => 1);
  return {
    kernel,
    size,
    attributes: { ...attributes, dilations: ones, ...(symbolic && { strides: ones }) },
  };
}

const conv: Draw = random => {
  const rank = random.integer(1, 2);
  const symbolic = half(random);
  const { kernel, size, attributes } = paddedWindow(random, rank, symbolic);
  const group = random.integer(1, 3);
  const [perGroup, filters] = [random.integer(1, 2), random.integer(1, 2)];
  return {
    variables: [
      { dims: [few(random, 2), group * perGroup, ...size], symbolic },
      { dims: [group * filters, perGroup, ...kernel] },
      { dims: [group * filters] },
    ],
    build: (b, xs) => b.op('Conv', xs.slice(0, random.integer(2, 3)), { ...attributes, group }),
    truth: 'multilinear',
  };
};

/** With pads, `auto_pad`, or the size of the output, which say together how much is cropped. */
const convTranspose: Draw = random => {
  const rank = random.integer(1, 2);
  const { kernel, strides, dilations } = windowOf(random, rank);
  const group = random.integer(1, 3);
  const size = kernel.map(() => random.integer(1, 3));
  const reach = kernel.map((k, i) => strides[i]! * (size[i]! - 1) + dilations[i]! * (k - 1) + 1);
  const head = reach.map(r => random.integer(0, Math.min(1, Math.floor((r - 1) / 2))));
  const [channels, filters] = [group * random.integer(1, 2), random.integer(1, 2)];
  const form = random.pick(['pads', 'pads', 'auto_pad', 'output_shape'] as const);
  const padding = {
    pads: { pads: [...head, ...head], output_padding: strides.map(s => random.integer(0, s - 1)) },
    auto_pad: { auto_pad: random.pick(['VALID', 'SAME_UPPER', 'SAME_LOWER']) },
    // Less than the input, which ONNX Runtime computes, its own shape inference takes for something else.
    output_shape: { output_shape: reach.map((r, i) => Math.max(size[i]!, r - head[i]!)) },
  }[form];
  // The output of SAME has as many entries as strides times the input: kernels must reach so far.
  const wide = form === 'auto_pad' ? kernel.map((k, i) => Math.max(k, strides[i]!)) : kernel;
  return {
    variables: [
      { dims: [few(random, 2), channels, ...size], symbolic: form === 'pads' && half(random) },
      { dims: [channels, filters, ...wide] },
      { dims: [group * filters] },
    ],
    build: (b, xs) =>
      b.op('ConvTranspose', xs.slice(0, random.integer(2, 3)), { strides, dilations, group, ...padding }),
    truth: 'multilinear',
  };
};

const pool =
  (op: string): Draw =>
  random => {
    const rank = random.integer(1, 2);
    const window = windowOf(random, rank);
    const opset = random.pick([17, 21]);
    const autoPad = random.pick(AUTO_PADS);
    const same = autoPad.startsWith('SAME');
    // With larger strides ONNX Runtime would pad by less than nothing.
    const strides = window.strides.map((s, i) => (same ? Math.min(s, window.kernel[i]!) : s));
    const { kernel } = window;
    // Averages have dilations since operator set 19; ONNX Runtime has no dilated SAME.
    const dilated = !same && (op === 'MaxPool' || opset >= 19);
    const dilations = dilated ? window.dilations : kernel.map(() => 1);
    // No window may lie in the padding alone.
    const pads =
      autoPad === 'NOTSET' ? [...kernel, ...kernel].map(k => random.integer(0, Math.min(k - 1, 1))) : [];
    const size = kernel.map((k, i) => dilations[i]! * (k - 1) + 1 + random.integer(0, 4));
    const ceil = random.integer(0, 1);
    // Where ONNX drops a last window that starts in the padding, ONNX Runtime's own inference counts it.
    const open = ceil === 1 && pads.some(p => p > 0);
    const strided = same && strides.some(s => s > 1);
    const dims = [few(random, 2), random.integer(1, 2), ...size];
    return {
      variables: [
        {
          dims,
          symbolic: open || (!strided && half(random)),
          ...(op === 'MaxPool' && { values: apart(random, dims) }),
        },
      ],
      build: (b, xs) =>
        b.op(op, xs, {
          kernel_shape: kernel,
          strides,
          ceil_mode: ceil,
          ...(dilated && { dilations }),
          ...(autoPad === 'NOTSET' ? { pads } : { auto_pad: autoPad }),
          ...(op === 'AveragePool' && { count_include_pad: random.integer(0, 1) }),
        }),
      opset,
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
