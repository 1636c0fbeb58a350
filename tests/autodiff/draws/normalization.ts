import { Tensor } from '../../../src/graph/index.js';
import { count, type Draw, type Draws, few, half, sizes } from './draw.js';

const EPSILON = 0.1;

/** Rows of a flat list, each standardized. */
function standardized(x: Float64Array, width: number, epsilon = EPSILON): number[][] {
  return Array.from({ length: x.length / width }, (_, i) => {
    const row = x.slice(i * width, (i + 1) * width);
    const mean = row.reduce((a, v) => a + v, 0) / width;
    const variance = row.reduce((a, v) => a + (v - mean) ** 2, 0) / width;
    return [...row].map(v => (v - mean) / Math.sqrt(variance + epsilon));
  });
}

/** In float64, and in float32, where the gradient takes the operator's own statistics. */
const layerNorm: Draw = random => {
  const dims = sizes(random, random.integer(1, 3)).map((size, i, all) =>
    i === all.length - 1 ? Math.max(1, size) + 1 : size,
  );
  const axis = random.integer(0, dims.length - 1);
  const affine = dims.slice(axis).map(size => Math.max(1, size));
  const whole = [...dims.slice(0, axis), ...affine];
  const width = count(affine);
  return {
    variables: [{ dims: whole, symbolic: half(random) }, { dims: affine }, { dims: affine }],
    build: (b, xs) => b.op('LayerNormalization', xs, { axis, epsilon: EPSILON }),
    truth: half(random)
      ? 'float64'
      : (x, scale, bias) => [
          standardized(x, width).flatMap(row => row.map((v, i) => v * scale[i]! + bias[i]!)),
        ],
  };
};

const batchNormalization: Draw = random => {
  // An average over no images would be none.
  const training = half(random);
  const dims = [training ? random.integer(1, 3) : few(random, 3), ...random.shape(random.integer(1, 3), 3)];
  const [channels, symbolic] = [[dims[1]!], half(random)];
  if (!training) {
    const positive = { dims: channels, from: [0.4, 2] as const };
    return {
      variables: [{ dims, symbolic }, ...Array.from({ length: 3 }, () => ({ dims: channels })), positive],
      build: (b, xs) => b.op('BatchNormalization', xs, { epsilon: EPSILON }),
      truth: 'float64',
    };
  }
  return {
    variables: [{ dims, symbolic }, { dims: channels }, { dims: channels }],
    build: (b, xs) => {
      const statistics = [0, 1].map(v =>
        b.constant(Tensor.fromNumbers('float64', channels, Array<number>(channels[0]!).fill(v))),
      );
      const attributes = { training_mode: 1, epsilon: EPSILON };
      return b.node('BatchNormalization', [...xs, ...statistics], attributes, 3).output;
    },
    truth: 'float64',
  };
};

const instanceNormalization: Draw = random => {
  const dims = [few(random, 3), ...random.shape(random.integer(2, 3), 3)];
  const channels = dims[1]!;
  return {
    variables: [{ dims, symbolic: half(random) }, { dims: [channels] }, { dims: [channels] }],
    build: (b, xs) => b.op('InstanceNormalization', xs, { epsilon: EPSILON }),
    truth: (x, scale, bias) => [
      standardized(x, count(dims.slice(2))).flatMap((row, i) =>
        row.map(v => v * scale[i % channels]! + bias[i % channels]!),
      ),
    ],
  };
};

/** ONNX Runtime's takes no batch of size 0. */
const groupNormalization: Draw = random => {
  const [groups, width, length, batch] = random.shape(4, 3) as [number, number, number, number];
  const channels = groups * width;
  return {
    variables: [
      { dims: [batch, channels, length], symbolic: half(random) && [0, 2] },
      { dims: [channels] },
      { dims: [channels] },
    ],
    build: (b, xs) => b.op('GroupNormalization', xs, { num_groups: groups, epsilon: EPSILON }),
    truth: (x, scale, bias) => [
      standardized(x, width * length).flatMap((row, i) =>
        row.map((v, j) => {
          const channel = (i % groups) * width + Math.floor(j / length);
          return v * scale[channel]! + bias[channel]!;
        }),
      ),
    ],
  };
};

/** Divided by the root of the mean square over the last axes. */
const rms =
  (op: string, opset: number): Draw =>
  random => {
    const rank = random.integer(1, 3);
    const axis = op === 'RMSNormalization' ? random.integer(0, rank - 1) : rank - 1;
    const dims = Array.from({ length: rank }, (_, i) => (i < axis ? few(random, 4) : random.integer(1, 4)));
    const affine = dims.slice(axis);
    const width = count(affine);
    return {
      variables: [{ dims, symbolic: half(random) && op === 'RMSNormalization' }, { dims: affine }],
      build: (b, xs) => b.op(op, xs, { axis, epsilon: EPSILON }),
      opset,
      truth: (x, scale) => [
        x.map((v, i) => {
          const from = width * Math.floor(i / width);
          const square = x.slice(from, from + width).reduce((a, w) => a + w * w, 0) / width;
          return (v / Math.sqrt(square + EPSILON)) * scale[i - from]!;
        }),
      ],
    };
  };

const lpNormalization: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  return {
    variables: [{ dims, from: [0.3, 2], symbolic: half(random) }],
    build: (b, xs) =>
      b.op('LpNormalization', xs, {
        p: random.integer(1, 2),
        axis: random.integer(-dims.length, dims.length - 1),
      }),
    truth: 'float64',
  };
};

/** Over the neighbouring channels of (N, C, 1, W). */
const localResponse: Draw = random => {
  const symbolic = half(random);
  // The gradient's average takes no images, but no image without channels or places.
  const some = (): number => (symbolic ? random.integer(1, 4) : few(random, 4));
  const [batch, channels, width] = [few(random, 4), some(), some()];
  const size = random.integer(1, 2) * 2 - 1;
  const reach = (size - 1) / 2;
  return {
    variables: [{ dims: [batch, channels, 1, width], symbolic }],
    build: (b, xs) => b.op('LRN', xs, { size, alpha: 0.5, beta: 0.6, bias: 1.2 }),
    truth: x => [
      x.map((v, i) => {
        const [n, c, l] = [Math.floor(i / (channels * width)), Math.floor(i / width) % channels, i % width];
        let sum = 0;
        for (let k = Math.max(0, c - reach); k <= Math.min(channels - 1, c + reach); k++) {
          sum += x[(n * channels + k) * width + l]! ** 2;
        }
        return v / (1.2 + (0.5 / size) * sum) ** 0.6;
      }),
    ],
  };
};

/** Each channel over batch and places. At least three different numbers, for ONNX adds nothing to the deviation. */
const meanVariance: Draw = random => {
  const [channels, length] = [few(random, 3), random.integer(3, 5)];
  return {
    variables: [{ dims: [1, channels, length], symbolic: half(random) }],
    build: (b, xs) => b.op('MeanVarianceNormalization', xs, { axes: [0, 2] }),
    truth: x => [standardized(x, length, 0).flat()],
  };
};

export const NORMALIZING: Draws = {
  LayerNormalization: layerNorm,
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  RMSNormalization: rms('RMSNormalization', 23),
  SimplifiedLayerNormalization: rms('SimplifiedLayerNormalization', 21),
  LpNormalization: lpNormalization,
  LRN: localResponse,
  MeanVarianceNormalization: meanVariance,
};
