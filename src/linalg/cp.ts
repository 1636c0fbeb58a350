import { WhittleError } from '../graph/errors.js';
import { gram } from './gram.js';
import { matmul } from './matmul.js';
import { assertRank, type DenseMatrix, dense, transpose } from './matrix.js';
import { normalNumbers } from './random.js';
import { lstsq } from './solve.js';
import { svd } from './svd.js';
import { assertMultiway, type Multiway, normOf, unfold } from './unfold.js';

export interface CpOptions {
  /** Rounds at most; 200 unless given. */
  iterations?: number;
  /** The rounds end where the relative error changes by less; 1e-8 unless given. */
  tolerance?: number;
  /** For the columns that the first guess takes at random; 0 unless given. */
  seed?: number;
}

/** tensor[i, j, …] ≈ Σ_r weights[r] · factors[0][i, r] · factors[1][j, r] · … */
export interface Cp {
  /** `rank` weights, largest first. */
  readonly weights: Float64Array<ArrayBuffer>;
  /** One per axis: dims[axis] × rank, columns of length 1. */
  readonly factors: DenseMatrix[];
  /** ‖tensor − approximation‖ / ‖tensor‖ */
  readonly error: number;
  readonly iterations: number;
}

/**
 * Canonical polyadic decomposition by alternating least squares (Kolda & Bader, "Tensor decompositions and
 * applications", 2009, figure 3.3), started from the singular vectors of the unfoldings. Lebedev et al. 2015 turn a
 * convolution into four small ones with it. The best approximation need not exist, and the iteration may end in a
 * local optimum: look at the error.
 * @param tensor two axes or more, e.g. (out, in, height, width)
 * @throws WhittleError for a rank below 1, a shape that does not fit, NaN and infinite elements
 */
export function cp(tensor: Multiway, rank: number, options: CpOptions = {}): Cp {
  assertMultiway(tensor);
  const { dims } = tensor;
  if (dims.length < 2)
    throw new WhittleError(`cp: the shape [${dims.join(', ')}] has one axis, two are needed`);
  assertRank(rank, tensor.data.length);
  const { iterations = 200, tolerance = 1e-8, seed = 0 } = options;
  const unfoldings = dims.map((_, axis) => unfold(tensor, axis));
  const total = normOf(tensor.data);
  const factors = unfoldings.map((a, axis) => firstGuess(a, rank, seed + axis));
  const grams = factors.map(factor => gram(factor));
  let weights = new Float64Array(rank);
  let error = Number.POSITIVE_INFINITY;
  let round = 0;
  while (round < iterations) {
    round++;
    for (let axis = 0; axis < dims.length; axis++) {
      const others = factors.filter((_, other) => other !== axis);
      const products = matmul(unfoldings[axis]!, khatriRao(others)); // (dims[axis], rank)
      const normal = hadamard(grams.filter((_, other) => other !== axis));
      const solved = transpose(lstsq(normal, transpose(products)).x);
      weights = normalizeColumns(solved);
      factors[axis] = solved;
      grams[axis] = gram(solved);
    }
    const previous = error;
    error = total === 0 ? 0 : distanceTo(unfoldings[0]!, factors, weights) / total;
    if (previous - error < tolerance) break;
  }
  return { ...sorted(weights, factors), error, iterations: round };
}

/** Leading left singular vectors, and random columns where there are too few. */
function firstGuess(a: DenseMatrix, rank: number, seed: number): DenseMatrix {
  const known = Math.min(rank, a.rows, a.cols);
  const { u } = svd(a, { rank: known });
  const guess = dense(normalNumbers(a.rows * rank, seed), a.rows, rank);
  for (let i = 0; i < a.rows; i++) {
    for (let r = 0; r < known; r++) guess.data[i * rank + r] = u.data[i * known + r]!;
  }
  normalizeColumns(guess);
  return guess;
}

/** Column-wise Kronecker product; the last factor's rows run fastest, as `unfold` orders its columns. */
function khatriRao(factors: readonly DenseMatrix[]): DenseMatrix {
  return factors.reduce((a, b) => {
    const rank = a.cols;
    const data = new Float64Array(a.rows * b.rows * rank);
    for (let i = 0; i < a.rows; i++) {
      for (let j = 0; j < b.rows; j++) {
        const to = (i * b.rows + j) * rank;
        for (let r = 0; r < rank; r++) data[to + r] = a.data[i * rank + r]! * b.data[j * rank + r]!;
      }
    }
    return dense(data, a.rows * b.rows, rank);
  });
}

function hadamard(matrices: readonly DenseMatrix[]): DenseMatrix {
  const [first, ...rest] = matrices as [DenseMatrix, ...DenseMatrix[]];
  const data = first.data.map((value, i) => rest.reduce((product, a) => product * a.data[i]!, value));
  return dense(data, first.rows, first.cols);
}

/** Scales columns to length 1 in place and returns the lengths. */
function normalizeColumns(a: DenseMatrix): Float64Array<ArrayBuffer> {
  const lengths = new Float64Array(a.cols);
  for (let r = 0; r < a.cols; r++) {
    const column = Float64Array.from({ length: a.rows }, (_, i) => a.data[i * a.cols + r]!);
    lengths[r] = normOf(column);
    if (lengths[r] === 0) continue;
    for (let i = 0; i < a.rows; i++) a.data[i * a.cols + r] = column[i]! / lengths[r]!;
  }
  return lengths;
}

/** ‖first unfolding − its approximation‖ */
function distanceTo(unfolding: DenseMatrix, factors: readonly DenseMatrix[], weights: Float64Array): number {
  const [first, ...rest] = factors as [DenseMatrix, ...DenseMatrix[]];
  const weighted = first.data.map((value, i) => value * weights[i % weights.length]!);
  const scaled = dense(weighted, first.rows, first.cols);
  const approximation = matmul(scaled, khatriRao(rest), { transposeB: true });
  return normOf(unfolding.data.map((value, i) => value - approximation.data[i]!));
}

/** Terms by falling weight. */
function sorted(weights: Float64Array, factors: readonly DenseMatrix[]): Pick<Cp, 'weights' | 'factors'> {
  const order = Array.from(weights, (_, r) => r).sort((a, b) => weights[b]! - weights[a]!);
  const rank = weights.length;
  return {
    weights: Float64Array.from(order, r => weights[r]!),
    factors: factors.map(({ data, rows }) => {
      const moved = Float64Array.from(data, (_, i) => data[Math.floor(i / rank) * rank + order[i % rank]!]!);
      return dense(moved, rows, rank);
    }),
  };
}
