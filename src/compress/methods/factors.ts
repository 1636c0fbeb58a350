import {
  type DenseMatrix,
  eigenvalues,
  eigh,
  type Matrix,
  matmul,
  matrix,
  singularValues,
  solveTriangular,
  svd,
} from '../../linalg/index.js';
import type { Layer } from '../layer.js';
import { momentOfOutputs } from '../moments.js';

/**
 * A layer's weight as a product of two, W ≈ outer · inner, for every rank at once. A grouped convolution is one
 * factorization per group, all cut at the same rank.
 */
export interface Factors {
  readonly groups: number;
  /** Rows of the whole weight (all groups). */
  readonly rows: number;
  readonly cols: number;
  /** Singular values of each group, largest first: of W, or of W L with activation-aware factors. */
  readonly spectra: readonly Float64Array[];
  /** Whether the spectra are those of the outputs on the calibration inputs. */
  readonly ofOutputs: boolean;
  /** Orthonormal columns, (rows, rank), group after group. */
  outer(rank: number): Float32Array;
  /** (groups · rank, cols). */
  inner(rank: number): Float32Array;
}

/** Largest rank that a truncation may have. */
export const maxRank = (factors: Factors): number => Math.min(factors.rows / factors.groups, factors.cols);

/** Elements of both factors. */
export const factorElements = (factors: Factors, rank: number): number =>
  rank * (factors.rows + factors.groups * factors.cols);

/**
 * The SVD of the weight: U and Σ Vᵀ, the nearest matrix of each rank in the Frobenius norm (Eckart–Young).
 * @throws WhittleError for NaN and infinite weights
 */
export function plainFactors(layer: Layer, data: Float32Array = layer.matrix.data): Factors {
  const parts = groupMatrices(layer, data).map(w => {
    const { u, s, v } = svd(w);
    return { u, s, inner: (rank: number) => scaledRows(v, s, rank) };
  });
  return assemble(layer, parts, false);
}

/**
 * The SVD of W L with S = L Lᵀ: the nearest layer of each rank, measured by the outputs on the calibration inputs.
 * (SVD-LLM: Wang et al., "Truncation-aware Singular Value Decomposition for Large Language Model Compression", 2024.)
 * The inner factor is Σ Vᵀ L⁻¹ = Uᵀ W. Without calibration it is the plain SVD.
 *
 * Where outputs are no more than inputs, U and Σ² are the eigenvectors and eigenvalues of W S Wᵀ, and L is not needed: of a
 * layer that makes 3072 numbers into 768, that is a fifth of the work, and S may have any rank.
 * @param data another matrix on the same inputs, in the place of the weight
 */
export function whitenedFactors(layer: Layer, data: Float32Array = layer.matrix.data): Factors {
  if (!layer.moment) return plainFactors(layer, data);
  const parts = groupMatrices(layer, data).map((w, g) => {
    if (w.rows <= w.cols) {
      const own = data === layer.matrix.data;
      return partOfOutputs(w, own ? layer.outputMoment(g)! : momentOfOutputs(w, layer.moment!.second[g]!));
    }
    const l = layer.whitening(g)!;
    const { u, s, v } = svd(matmul(w, l));
    // X L = Σ Vᵀ is Lᵀ Xᵀ = V Σ: one solve for all ranks.
    const scaled = new Float64Array(v.rows * s.length);
    for (let j = 0; j < v.rows; j++) {
      for (let k = 0; k < s.length; k++) scaled[j * s.length + k] = v.data[j * v.stride + k]! * s[k]!;
    }
    const x = solveTriangular(l, matrix(scaled, v.rows, s.length), { transpose: true });
    return { u, s, inner: (rank: number) => leadingRows(x, rank) };
  });
  return assemble(layer, parts, true);
}

/**
 * The layer's error for every rank, from 0 to the largest, in closed form: the outer factor's columns are orthonormal,
 * so that what each component adds to the error of leaving it out is inner S innerᵀ of its own row; with
 * activation-aware factors that is the square of its singular value.
 */
export function rankErrors(layer: Layer, factors: Factors): Float64Array {
  const { groups, cols } = factors;
  const ranks = maxRank(factors);
  const left = new Float64Array(ranks + 1);
  const inner = factors.ofOutputs ? undefined : factors.inner(ranks);
  for (let g = 0; g < groups; g++) {
    const energies = inner
      ? layer.energies(inner.subarray(g * ranks * cols, (g + 1) * ranks * cols), g)
      : factors.spectra[g]!.map(s => s * s);
    for (let k = 0; k < ranks; k++) left[k]! += energies[k]!;
  }
  for (let k = ranks - 1; k >= 0; k--) left[k]! += left[k + 1]!;
  return left.map(energy => layer.relativeError(energy));
}

/**
 * What any factorization errs at least, for every rank from 0 to the largest: the tail of the spectrum of D W L, D being
 * the roots of what rows count (Eckart–Young). Singular values alone take a fraction of a decomposition's time.
 */
export function leastRankErrors(layer: Layer): Float64Array {
  const weights = layer.moment ? undefined : layer.rowWeights();
  const { data, cols } = layer.matrix;
  const roots = weights?.map(Math.sqrt);
  const weighted = roots ? data.map((w, i) => w * roots[Math.floor(i / cols)]!) : data;
  const spectra = groupMatrices(layer, weighted).map((w, g) => {
    if (!layer.moment) return singularValues(w);
    // An eigenvalue is off by a rounding error of the largest: for sums of squares that is as good as it gets.
    if (w.rows <= w.cols) return rootsOf(eigenvalues(layer.outputMoment(g)!));
    return singularValues(matmul(w, layer.whitening(g)!));
  });
  const left = new Float64Array(spectra[0]!.length + 1);
  for (let k = left.length - 2; k >= 0; k--) {
    left[k] = left[k + 1]! + spectra.reduce((sum, s) => sum + s[k]! ** 2, 0);
  }
  return left.map(energy => layer.relativeError(energy));
}

/** The factors of W whose outer ones are the eigenvectors of the outputs' moment. */
function partOfOutputs(w: Matrix, outputs: DenseMatrix): Part {
  const { values, vectors } = eigh(outputs);
  let rows: DenseMatrix | undefined;
  return {
    u: vectors,
    s: rootsOf(values),
    inner(rank) {
      rows ??= matmul(vectors, w, { transposeA: true });
      return Float32Array.from(rows.data.subarray(0, rank * w.cols));
    },
  };
}

const rootsOf = (eigenvalues: Float64Array): Float64Array => eigenvalues.map(v => Math.sqrt(Math.max(0, v)));

interface Part {
  readonly u: DenseMatrix;
  readonly s: Float64Array;
  inner(rank: number): Float32Array;
}

function groupMatrices({ matrix: { rows, cols }, groups }: Layer, data: Float32Array) {
  const groupRows = rows / groups;
  return Array.from({ length: groups }, (_, g) =>
    matrix(data.subarray(g * groupRows * cols, (g + 1) * groupRows * cols), groupRows, cols),
  );
}

function assemble(
  { matrix: { rows, cols }, groups }: Layer,
  parts: readonly Part[],
  ofOutputs: boolean,
): Factors {
  return {
    ofOutputs,
    groups,
    rows,
    cols,
    spectra: parts.map(({ s }) => s),
    outer: rank => concat(parts.map(({ u }) => leadingColumns(u, rank))),
    inner: rank => concat(parts.map(part => part.inner(rank))),
  };
}

/** The first columns of a matrix, (rows, rank). */
function leadingColumns(a: DenseMatrix, rank: number): Float32Array {
  const result = new Float32Array(a.rows * rank);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < rank; k++) result[i * rank + k] = a.data[i * a.stride + k]!;
  }
  return result;
}

/** The first columns of a matrix as rows, (rank, rows). */
function leadingRows(a: DenseMatrix, rank: number): Float32Array {
  const result = new Float32Array(rank * a.rows);
  for (let j = 0; j < a.rows; j++) {
    for (let k = 0; k < rank; k++) result[k * a.rows + j] = a.data[j * a.stride + k]!;
  }
  return result;
}

/** The first `rank` rows of ΣVᵀ. */
function scaledRows(v: DenseMatrix, s: Float64Array, rank: number): Float32Array {
  const result = leadingRows(v, rank);
  for (let k = 0; k < rank; k++) for (let j = 0; j < v.rows; j++) result[k * v.rows + j]! *= s[k]!;
  return result;
}

function concat(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const result = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
