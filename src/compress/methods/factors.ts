import { type DenseMatrix, matrix, svd } from '../../linalg/index.js';
import type { WeightMatrix } from '../matrix.js';

/**
 * The SVD of a weight, kept whole so that every rank can be cut from it. A grouped convolution is one SVD per group,
 * all cut at the same rank.
 */
export interface GroupedFactors {
  readonly groups: number;
  /** Rows of the whole weight (all groups). */
  readonly rows: number;
  readonly cols: number;
  /** Singular values of each group, largest first. */
  readonly spectra: readonly Float64Array[];
  /** U, (rows, rank), group after group. */
  outer(rank: number): Float32Array;
  /** ΣVᵀ, (groups · rank, cols). */
  inner(rank: number): Float32Array;
}

/** Largest rank that a truncation may have. */
export const maxRank = (factors: GroupedFactors): number =>
  Math.min(factors.rows / factors.groups, factors.cols);

/** Decomposes a weight, group by group. @throws WhittleError for NaN and infinite elements */
export function factorize({ data, rows, cols }: WeightMatrix, groups: number): GroupedFactors {
  const groupRows = rows / groups;
  const parts = Array.from({ length: groups }, (_, g) =>
    svd(matrix(data.subarray(g * groupRows * cols, (g + 1) * groupRows * cols), groupRows, cols)),
  );
  return {
    groups,
    rows,
    cols,
    spectra: parts.map(({ s }) => s),
    outer: rank => concat(parts.map(({ u }) => firstColumns(u, rank))),
    inner: rank => concat(parts.map(({ s, v }) => scaledRows(v, s, rank))),
  };
}

function firstColumns(u: DenseMatrix, rank: number): Float32Array {
  const result = new Float32Array(u.rows * rank);
  for (let i = 0; i < u.rows; i++) {
    for (let k = 0; k < rank; k++) result[i * rank + k] = u.data[i * u.stride + k]!;
  }
  return result;
}

/** The first `rank` rows of ΣVᵀ. */
function scaledRows(v: DenseMatrix, s: Float64Array, rank: number): Float32Array {
  const result = new Float32Array(rank * v.rows);
  for (let k = 0; k < rank; k++) {
    for (let j = 0; j < v.rows; j++) result[k * v.rows + j] = s[k]! * v.data[j * v.stride + k]!;
  }
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
