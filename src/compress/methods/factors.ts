import { svd } from '../../linalg/index.js';
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
