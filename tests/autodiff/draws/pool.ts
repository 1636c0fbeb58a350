import { Tensor } from '../../../src/graph/index.js';
import { count, type Draw, type Draws, half, integers } from './draw.js';

const globalPool =
  (op: string): Draw =>
  random => {
    const dims = random.shape(random.integer(3, 4), 3);
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
  const dims = random.shape(random.integer(3, 4), 3);
  const [p, size] = [random.integer(1, 3), count(dims.slice(2))];
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, xs) => b.op('GlobalLpPool', xs, { p }),
    truth: x => [
      Array.from({ length: x!.length / size }, (_, i) => root([...x!.slice(i * size, (i + 1) * size)], p)),
    ],
  };
};

/** Over one axis; pads stay smaller than the window. */
const lpPool: Draw = random => {
  const [p, kernel, stride] = [random.integer(1, 3), random.integer(1, 3), random.integer(1, 3)];
  const [head, tail] = integers(random, 2, 0, kernel - 1) as [number, number];
  const [batch, channels] = random.shape(2, 2) as [number, number];
  const length = kernel + random.integer(0, 4);
  const places = Math.floor((length + head + tail - kernel) / stride) + 1;
  return {
    variables: [{ dims: [batch, channels, length], symbolic: half(random) }],
    build: (b, xs) =>
      b.op('LpPool', xs, { p, kernel_shape: [kernel], strides: [stride], pads: [head, tail] }),
    truth: x => [
      Array.from({ length: batch * channels * places }, (_, i) => {
        const row = Math.floor(i / places);
        const from = (i % places) * stride - head;
        const reach = x!.slice(
          row * length + Math.max(0, from),
          row * length + Math.min(length, from + kernel),
        );
        return root([...reach], p);
      }),
    ],
  };
};

const resize: Draw = random => {
  const dims = random.shape(4, 4);
  const scales = [1, 1, random.pick([0.6, 1, 1.5, 2]), random.pick([0.5, 1, 2, 2.6])].map((scale, i) =>
    // Something has to be left.
    Math.floor(scale * dims[i]!) === 0 ? 1 : scale,
  );
  const mode = random.pick(['nearest', 'linear', 'cubic']);
  const coordinate = random.pick(['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel']);
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, [x]) =>
      b.op('Resize', [x!, null, b.constant(Tensor.float32([4], scales))], {
        mode,
        coordinate_transformation_mode: coordinate,
      }),
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
