import { type DType, Tensor, type Value } from '../../../src/graph/index.js';
import { gelu, tanhGelu } from '../formulas.js';
import type { Random } from '../random.js';
import { broadcastable, count, type Draw, type Draws, half, integers, sizes } from './draw.js';

const MS = 'com.microsoft';
const EPSILON = 1e-2;

const fusedMatMul =
  (op: string): Draw =>
  random => {
    const [m, k, n] = random.shape(3, 3) as [number, number, number];
    const stack = random.shape(random.integer(1, 2), 2);
    const [transA, transB] = [half(random), half(random)];
    return {
      variables: [
        { dims: [...stack, ...(transA ? [k, m] : [m, k])], symbolic: half(random) },
        { dims: [...stack, ...(transB ? [n, k] : [k, n])], symbolic: half(random) },
      ],
      build: (b, xs) => {
        const attributes = { transA: Number(transA), transB: Number(transB), alpha: 0.3 };
        return b.op(op, xs, attributes, MS);
      },
      truth: op === 'FusedMatMul' ? 'float64' : 'multilinear',
    };
  };

/** Biases that keep what they are added to on one side of an activation's kink. */
const oneSide = (random: Random): readonly [number, number] => (half(random) ? [60, 61] : [-61, -60]);

const fusedConv: Draw = random => {
  const [channels, filters, kernel] = random.shape(3, 3) as [number, number, number];
  const size = kernel + random.integer(0, 2);
  return {
    variables: [
      { dims: [random.integer(1, 2), channels, size, size] },
      { dims: [filters, channels, kernel, kernel] },
      { dims: [filters], from: oneSide(random) },
    ],
    build: (b, xs) =>
      b.op(
        'FusedConv',
        xs,
        { kernel_shape: [kernel, kernel], activation: 'LeakyRelu', activation_params: [0.5] },
        MS,
      ),
    truth: 'multilinear',
  };
};

const fusedGemm: Draw = random => {
  const [m, k, n] = random.shape(3, 3) as [number, number, number];
  return {
    variables: [
      { dims: [m, k], symbolic: half(random) },
      { dims: [k, n] },
      { dims: [n], from: oneSide(random) },
    ],
    build: (b, xs) => b.op('FusedGemm', xs, { activation: 'LeakyRelu', activation_alpha: 0.2 }, MS),
    truth: 'multilinear',
  };
};

const activation =
  (op: string, f: (x: number) => number, attributes = {}): Draw =>
  random => ({
    variables: [{ dims: sizes(random, random.integer(1, 3)), symbolic: half(random) }],
    build: (b, xs) => b.op(op, xs, attributes, MS),
    truth: x => [x.map(f)],
  });

const biasedGelu =
  (op: string, f: (x: number) => number): Draw =>
  random => {
    const dims = random.shape(random.integer(1, 3), 3);
    const width = dims.at(-1)!;
    return {
      variables: [{ dims, symbolic: half(random) }, { dims: [width] }],
      build: (b, xs) => b.op(op, xs, {}, MS),
      truth: (x, bias) => [x.map((v, i) => f(v + bias[i % width]!))],
    };
  };

const rows = (x: Float64Array, width: number): number[][] =>
  Array.from({ length: x.length / width }, (_, i) => [...x.slice(i * width, (i + 1) * width)]);

function layerNorm(x: Float64Array, gamma: Float64Array, beta: Float64Array): number[] {
  return rows(x, gamma.length).flatMap(row => {
    const mean = row.reduce((a, v) => a + v, 0) / row.length;
    const variance = row.reduce((a, v) => a + (v - mean) ** 2, 0) / row.length;
    return row.map((v, i) => ((v - mean) / Math.sqrt(variance + EPSILON)) * gamma[i]! + beta[i]!);
  });
}

const skip =
  (op: 'SkipLayerNormalization' | 'SkipSimplifiedLayerNormalization'): Draw =>
  random => {
    const dims = random.shape(3, 3).map((size, i) => (i === 2 ? size + 1 : size));
    const affine = { dims: [dims[2]!] };
    const simple = op === 'SkipSimplifiedLayerNormalization';
    const outputs = half(random) ? [0, 3] : [0];
    return {
      variables: [{ dims }, { dims }, ...Array.from({ length: simple ? 2 : 3 }, () => affine)],
      build: (b, xs) => {
        const node = b.node(op, xs, { epsilon: EPSILON }, 4, MS);
        return outputs.map(i => node.outputs[i]!);
      },
      truth: (x, y, gamma, ...rest) => {
        const bias = rest.at(-1)!;
        const sum = x.map((v, i) => v + y[i]! + bias[i % bias.length]!);
        const normal = simple
          ? rows(sum, bias.length).flatMap(row => {
              const root = Math.sqrt(row.reduce((a, v) => a + v * v, 0) / row.length + EPSILON);
              return row.map((v, i) => (v / root) * gamma[i]!);
            })
          : layerNorm(sum, gamma, rest[0]!);
        return outputs.map(i => (i === 0 ? normal : sum));
      },
    };
  };

/** Words, places and segments looked up and normalized, as BERT begins. */
const embedLayerNormalization: Draw = random => {
  const [batch, length, words, segments] = random.shape(4, 3) as [number, number, number, number];
  const hidden = random.integer(2, 4);
  const ids = integers(random, batch * length, 0, words - 1);
  const kinds = integers(random, batch * length, 0, segments - 1);
  const tables = [words, length, segments].map(size => ({ dims: [size, hidden] }));
  return {
    variables: [...tables, { dims: [hidden] }, { dims: [hidden] }],
    build: (b, xs) => {
      const [a, c] = [ids, kinds].map(list => b.cast(b.reshape(b.ints(list), [batch, length]), 'int32'));
      return b.node('EmbedLayerNormalization', [a!, c!, ...xs], { epsilon: EPSILON }, 2, MS).output;
    },
    truth: (word, place, segment, gamma, beta) => {
      const sum = Float64Array.from({ length: ids.length * hidden }, (_, i) => {
        const [token, j] = [Math.floor(i / hidden), i % hidden];
        return (
          word[ids[token]! * hidden + j]! +
          place[(token % length) * hidden + j]! +
          segment[kinds[token]! * hidden + j]!
        );
      });
      return [layerNorm(sum, gamma, beta)];
    },
  };
};

const bytes = (random: Random, length: number): Uint8Array =>
  Uint8Array.from(integers(random, length, 0, 255));

/** A product with a weight of four bits, linear in what is trained: the other factor, and a bias. */
const matMulNBits: Draw = random => {
  const [blocks, n] = [random.integer(1, 2), random.integer(1, 5)];
  const k = 16 * blocks;
  const packed = bytes(random, n * blocks * 8);
  const scales = Float32Array.from({ length: n * blocks }, () => 0.02 + 0.02 * random.uniform());
  return {
    variables: [{ dims: [...random.shape(random.integer(1, 2), 3), k], symbolic: half(random) }],
    build: (b, [x]) => {
      const inputs = [
        b.constant(Tensor.from('uint8', [n, blocks, 8], packed)),
        b.constant(Tensor.float32([n * blocks], scales)),
      ];
      return b.op('MatMulNBits', [x!, ...inputs], { K: k, N: n, bits: 4, block_size: 16 }, MS);
    },
    truth: 'multilinear',
  };
};

const matMulBnb4: Draw = random => {
  const [blocks, n] = [random.integer(1, 2), random.integer(1, 4)];
  const k = 16 * blocks;
  const packed = bytes(random, (n * k) / 2);
  const largest = Float32Array.from({ length: n * blocks }, () => 0.5 + random.uniform());
  return {
    variables: [{ dims: [random.integer(1, 3), k] }],
    build: (b, [x]) => {
      const inputs = [
        b.constant(Tensor.from('uint8', [(n * k) / 2], packed)),
        b.constant(Tensor.float32([n * blocks], largest)),
      ];
      return b.op('MatMulBnb4', [x!, ...inputs], { K: k, N: n, block_size: 16, quant_type: 1 }, MS);
    },
    truth: 'multilinear',
  };
};

/** Scales for the tensor, for the entries of an axis, or for blocks along it. */
const dequantize =
  (domain: string): Draw =>
  random => {
    const dims = random.shape(2, 3);
    const kind = domain === '' ? random.pick(['tensor', 'axis', 'blocks']) : random.pick(['tensor', 'axis']);
    const axis = random.integer(0, 1);
    const block = 2;
    if (kind === 'blocks') dims[axis] = block * dims[axis]!;
    const parameters = {
      tensor: [] as number[],
      axis: [dims[axis]!],
      blocks: dims.map((size, i) => (i === axis ? size / block : size)),
    }[kind as 'tensor' | 'axis' | 'blocks'];
    const dtype: DType = random.pick(['int8', 'uint8']);
    const numbers = (shape: readonly number[]): Tensor =>
      Tensor.fromNumbers(dtype, shape, integers(random, count(shape), 0, 100));
    return {
      variables: [{ dims: parameters, from: [0.1, 1] }],
      build: (b, [scale]) => {
        const inputs: Value[] = [b.constant(numbers(dims)), scale!];
        if (half(random)) inputs.push(b.constant(numbers(parameters)));
        const attributes = { axis, ...(kind === 'blocks' && { block_size: block }) };
        return b.op('DequantizeLinear', inputs, attributes, domain);
      },
      truth: 'multilinear',
    };
  };

const inverse: Draw = random => {
  const size = random.integer(1, 3);
  const stack = random.shape(random.integer(0, 1), 2);
  return {
    variables: [{ dims: [...stack, size, size], from: [-0.3, 0.3] }],
    build: (b, [x]) => {
      const diagonal = Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 2 : 0));
      const shifted = b.add(x!, b.constant(Tensor.fromNumbers('float64', [size, size], diagonal)));
      return b.op('Inverse', [shifted], {}, MS);
    },
    truth: 'float64',
  };
};

const distances: Draw = random => {
  const [m, n, width] = random.shape(3, 3) as [number, number, number];
  return {
    // Apart, for a root has no derivative at zero.
    variables: [
      { dims: [m, width], symbolic: half(random) },
      { dims: [n, width], from: [2, 3] },
    ],
    build: (b, xs) => b.op('CDist', xs, { metric: random.pick(['euclidean', 'sqeuclidean']) }, MS),
    truth: 'float64',
  };
};

/** What a value is multiplied with depends on its shape alone. */
const eyeLike: Draw = random => {
  const dims = random.shape(2, 3);
  return {
    variables: [{ dims, symbolic: half(random) }, { dims: broadcastable(random, dims) }],
    build: (b, [x, y]) => b.add(b.mul(b.op('EyeLike', [x!], { k: random.integer(-1, 1) }), x!), y!),
    truth: 'float64',
  };
};

export const FUSED: Draws = {
  EyeLike: eyeLike,
  DequantizeLinear: dequantize(''),
  [`${MS}.DequantizeLinear`]: dequantize(MS),
  [`${MS}.FusedMatMul`]: fusedMatMul('FusedMatMul'),
  [`${MS}.TransposeMatMul`]: fusedMatMul('TransposeMatMul'),
  [`${MS}.FusedConv`]: fusedConv,
  [`${MS}.FusedGemm`]: fusedGemm,
  [`${MS}.Gelu`]: activation('Gelu', gelu),
  [`${MS}.QuickGelu`]: activation('QuickGelu', x => x / (1 + Math.exp(-1.5 * x)), { alpha: 1.5 }),
  [`${MS}.FastGelu`]: biasedGelu('FastGelu', tanhGelu),
  [`${MS}.BiasGelu`]: biasedGelu('BiasGelu', gelu),
  [`${MS}.SkipLayerNormalization`]: skip('SkipLayerNormalization'),
  [`${MS}.SkipSimplifiedLayerNormalization`]: skip('SkipSimplifiedLayerNormalization'),
  [`${MS}.EmbedLayerNormalization`]: embedLayerNormalization,
  [`${MS}.MatMulNBits`]: matMulNBits,
  [`${MS}.MatMulBnb4`]: matMulBnb4,
  [`${MS}.Inverse`]: inverse,
  [`${MS}.CDist`]: distances,
};
