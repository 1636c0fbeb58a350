import { WhittleError } from '../graph/errors.js';
import { sizeOf } from '../graph/tensor.js';
import type { Random } from '../random/random.js';

/** What an initializer knows of the tensor that it fills. */
export interface InitializerShape {
  readonly dims: readonly number[];
  /** Inputs that one output sums over: of a PyTorch weight (out, in, ...kernel) it is in × kernel. */
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Fills a fresh tensor, row-major. The same random state gives the same numbers on every platform. */
export type Initializer = (shape: InitializerShape, random: Random) => Float32Array;

const fill = ({ dims }: InitializerShape, draw: () => number): Float32Array => {
  const data = new Float32Array(sizeOf(dims));
  for (let i = 0; i < data.length; i++) data[i] = draw();
  return data;
};

/** The same value everywhere. */
export const constant =
  (value: number): Initializer =>
  shape =>
    new Float32Array(sizeOf(shape.dims)).fill(value);

export const zeros: Initializer = constant(0);
export const ones: Initializer = constant(1);

/** Uniform in [low, high). */
export const uniform =
  (low: number, high: number): Initializer =>
  (shape, random) =>
    fill(shape, () => random.uniform(low, high));

/** Normal with standard deviation `std`. */
export const normal =
  (std = 1, mean = 0): Initializer =>
  (shape, random) =>
    fill(shape, () => mean + std * random.normal());

/** Normal, drawn anew beyond `cut` standard deviations (timm and JAX cut at 2). The result's own deviation is smaller. */
export const truncatedNormal =
  (std = 1, { mean = 0, cut = 2 } = {}): Initializer =>
  (shape, random) =>
    fill(shape, () => {
      let z = random.normal();
      while (Math.abs(z) > cut) z = random.normal();
      return mean + std * z;
    });

/** Which function follows the layer; it sets the gain, as in `torch.nn.init.calculate_gain`. */
export type Nonlinearity = 'linear' | 'relu' | 'tanh' | 'selu' | { readonly leakyRelu: number };

const gainOf = (nonlinearity: Nonlinearity): number => {
  switch (nonlinearity) {
    case 'linear':
      return 1;
    case 'relu':
      return Math.SQRT2;
    case 'tanh':
      return 5 / 3;
    case 'selu':
      return 3 / 4;
    default:
      return Math.sqrt(2 / (1 + nonlinearity.leakyRelu ** 2));
  }
};

export interface KaimingOptions {
  readonly fan?: 'in' | 'out';
  /** Default `relu`. */
  readonly nonlinearity?: Nonlinearity;
}

const kaimingStd = (shape: InitializerShape, { fan = 'in', nonlinearity = 'relu' }: KaimingOptions): number =>
  gainOf(nonlinearity) / Math.sqrt(fan === 'in' ? shape.fanIn : shape.fanOut);

/** Variance gain² / fan, normal. He et al., "Delving deep into rectifiers", ICCV 2015. */
export const kaimingNormal =
  (options: KaimingOptions = {}): Initializer =>
  (shape, random) =>
    normal(kaimingStd(shape, options))(shape, random);

/** Variance gain² / fan, uniform. */
export const kaimingUniform =
  (options: KaimingOptions = {}): Initializer =>
  (shape, random) => {
    const bound = Math.sqrt(3) * kaimingStd(shape, options);
    return uniform(-bound, bound)(shape, random);
  };

const xavierStd = (shape: InitializerShape): number => Math.sqrt(2 / (shape.fanIn + shape.fanOut));

/** Variance 2 gain² / (fanIn + fanOut), normal. Glorot & Bengio, AISTATS 2010. */
export const xavierNormal =
  (gain = 1): Initializer =>
  (shape, random) =>
    normal(gain * xavierStd(shape))(shape, random);

/** Variance 2 gain² / (fanIn + fanOut), uniform. */
export const xavierUniform =
  (gain = 1): Initializer =>
  (shape, random) => {
    const bound = Math.sqrt(3) * gain * xavierStd(shape);
    return uniform(-bound, bound)(shape, random);
  };

/** What `torch.nn.Linear` and `torch.nn.Conv2d` draw weights and biases from: uniform in ±1/√fanIn. */
export const uniformFanIn: Initializer = (shape, random) => {
  const bound = 1 / Math.sqrt(shape.fanIn);
  return uniform(-bound, bound)(shape, random);
};

/**
 * Orthonormal rows or columns, whichever are fewer, times `gain`, of the matrix dims[0] × rest.
 * Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear networks", ICLR 2014.
 * @throws WhittleError for a tensor of fewer than two dimensions
 */
export const orthogonal =
  (gain = 1): Initializer =>
  (shape, random) => {
    const { dims } = shape;
    if (dims.length < 2)
      throw new WhittleError(`orthogonal initialization needs a matrix, not shape [${dims.join(', ')}]`);
    const rows = dims[0]!;
    const columns = sizeOf(dims.slice(1));
    const [count, length] = rows <= columns ? [rows, columns] : [columns, rows];
    const vectors = orthonormalSet(count, length, random);
    const data = new Float32Array(rows * columns);
    for (const [k, vector] of vectors.entries()) {
      for (let i = 0; i < length; i++) {
        data[rows <= columns ? k * columns + i : i * columns + k] = gain * vector[i]!;
      }
    }
    return data;
  };

/** `count` orthonormal vectors, uniform over all such sets: Gram–Schmidt of normal vectors, done twice for accuracy. */
function orthonormalSet(count: number, length: number, random: Random): Float64Array[] {
  const set: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    const vector = Float64Array.from({ length }, () => random.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const other of set) subtract(vector, dot(vector, other), other);
    }
    const norm = Math.sqrt(dot(vector, vector));
    for (let i = 0; i < length; i++) vector[i]! /= norm;
    set.push(vector);
  }
  return set;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtract(from: Float64Array, scale: number, other: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i]! -= scale * other[i]!;
}
