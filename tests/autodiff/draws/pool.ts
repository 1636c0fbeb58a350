import { Tensor } from '../../../src/graph/index.js';
import type { Random } from '../random.js';
import { count, type Draw, type Draws, few, half, integers } from './draw.js';

/** (N, C, …): ONNX Runtime's pools take no images, but none of another size 0. */
const images = (random: Random, rank: number): number[] => [few(random, 3), ...random.shape(rank - 1, 3)];

const globalPool =
  (op: string): Draw =>
  random => {
    const dims = images(random, random.integer(3, 4));
    return {
      // All different by more than the step, so that no maximum changes.
      variables: [
        { dims, symbolic: half(random), values: Array.from({ length: count(dims) }, (_, i) => (i * 7) % 31) },
      ],
      build: (b, xs) => b.op(op, xs),
      truth: 'multilinear',
    };
  };

const root = (values: readonly number[], p: number): number =>
  values.reduce((sum, v) => sum + Math.abs(v) ** p, 0) ** (1 / p);

const globalLpPool: Draw = random => {
  const dims = images(random, random.integer(3, 4));
  const [p, size] = [random.integer(1, 3), count(dims.slice(2))];
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, xs) => b.op('GlobalLpPool', xs, { p }),
    truth: x => [
      Array.from({ length: x.length / size }, (_, i) => root([...x.slice(i * size, (i + 1) * size)], p)),
    ],
  };
};

/** Over one axis; pads stay smaller than the window. */
const lpPool: Draw = random => {
  const [p, kernel, stride] = [random.integer(1, 3), random.integer(1, 3), random.integer(1, 3)];
  const [dilation, ceil] = [random.integer(1, 2), random.integer(0, 1)];
  const [head, tail] = integers(random, 2, 0, Math.min(1, kernel - 1)) as [number, number];
  const [batch, channels, reach] = [few(random, 2), random.integer(1, 2), dilation * (kernel - 1) + 1];
  const length = reach + random.integer(0, 4);
  const free = (length + head + tail - reach) / stride;
  const rounded = Math.ceil(free);
  // No window starts in the padding behind.
  const places =
    1 + (ceil === 0 ? Math.floor(free) : rounded * stride >= length + head ? rounded - 1 : rounded);
  return {
    variables: [
      // ONNX Runtime's own inference counts windows that start behind the input.
      { dims: [batch, channels, length], symbolic: ceil === 1 || half(random) },
    ],
    build: (b, xs) =>
      b.op('LpPool', xs, {
        p,
        kernel_shape: [kernel],
        strides: [stride],
        dilations: [dilation],
        pads: [head, tail],
        ceil_mode: ceil,
      }),
    truth: x => [
      Array.from({ length: batch * channels * places }, (_, i) => {
        const row = Math.floor(i / places);
        const from = (i % places) * stride - head;
        const taps = Array.from({ length: kernel }, (_, tap) => from + tap * dilation);
        return root(
          taps.filter(at => at >= 0 && at < length).map(at => x[row * length + at]!),
          p,
        );
      }),
    ],
  };
};

const COORDINATES = [
  'half_pixel',
  'asymmetric',
  'align_corners',
  'pytorch_half_pixel',
  'half_pixel_symmetric',
];
const ROUNDINGS = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];

/** By scales, also such that leave a remainder, or by sizes; perhaps of the last axes alone. */
const resize: Draw = random => {
  const dims = [few(random, 2), few(random, 2), ...random.shape(2, 4)];
  const scales = [
    random.pick([0.6, 1, 1.2, 1.5, 2, 2.3, 3]),
    random.pick([0.5, 1, 1.3, 2, 2.6]),
    // Something has to be left.
  ].map((scale, i) => (Math.floor(scale * dims[i + 2]!) === 0 ? 1 : scale));
  const sizes = dims.slice(2).map(size => random.pick([size, 2 * size, 3 * size, random.integer(1, 7)]));
  const [mode, inner, bySizes] = [
    random.pick(['nearest', 'nearest', 'linear', 'cubic']),
    half(random),
    half(random),
  ];
  const attributes = {
    mode,
    coordinate_transformation_mode: random.pick(COORDINATES),
    ...(mode === 'nearest' && { nearest_mode: random.pick(ROUNDINGS) }),
    ...(mode === 'cubic' && { exclude_outside: random.integer(0, 1), cubic_coeff_a: -0.5 }),
    ...(inner && { axes: [2, 3] }),
  };
  return {
    variables: [{ dims, symbolic: random.pick([false, true, [0], [2, 3]]) }],
    build: (b, [x]) => {
      if (bySizes) {
        const whole = b.shapeFrom([...b.sizesOf(x!).slice(0, 2), ...sizes]);
        return b.op('Resize', [x!, null, null, inner ? b.ints(sizes) : whole], attributes);
      }
      const factors = inner ? scales : [1, 1, ...scales];
      return b.op('Resize', [x!, null, b.constant(Tensor.float32([factors.length], factors))], attributes);
    },
    truth: 'multilinear',
  };
};

export const POOLING: Draws = {
  GlobalAveragePool: globalPool('GlobalAveragePool'),
  GlobalMaxPool: globalPool('GlobalMaxPool'),
  GlobalLpPool: globalLpPool,
  LpPool: lpPool,
  Resize: resize,
};
