import { matmul, matrix } from '../../linalg/index.js';
import { bitsOfFormat, formatLabel, type StorageFormat, StoredFactor } from '../forms/factor.js';
import { applyFactors, type FactorPair, isFactorizable } from '../forms/factored.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import { smallestRank } from '../rank-search.js';
import {
  type Factors,
  factorElements,
  leastRankErrors,
  maxRank,
  plainFactors,
  rankErrors,
  whitenedFactors,
} from './factors.js';
import { INT4, INT8 } from './quantize.js';
import { storedErrors } from './stored-errors.js';

/** Ranks to propose, as shares of the break-even rank. */
const SHARES = [0.04, 0.07, 0.1, 0.15, 0.2, 0.28, 0.36, 0.48, 0.62, 0.8];

/**
 * Low-rank factorization, W ≈ U V, run as two smaller layers, the factors stored in one of several formats. Singular
 * values are never rounded: they go into the scales of the inner factor.
 * @param factorsOf plain or activation-aware
 */
function lowrankMethod(
  name: string,
  factorsOf: (layer: Layer) => Factors,
  formats: readonly StorageFormat[],
): Method {
  // Of the layer in work alone: factors are several times the weight's size.
  let latest: { layer: Layer; factors: Factors } | undefined;
  const factorize = (layer: Layer): Factors => {
    if (latest?.layer !== layer) latest = { layer, factors: factorsOf(layer) };
    return latest.factors;
  };
  return {
    name,
    *propose(layer) {
      if (!isFactorizable(layer.site)) return;
      const { rows, cols } = layer.matrix;
      const breakEven = (rows * cols) / (rows + layer.groups * cols);
      const ranks = new Set(SHARES.map(share => niceRank(share * breakEven)));
      const possible = [...ranks].filter(rank => rank >= 1 && rank < breakEven);
      let errors: Float64Array | undefined;
      const leastError = (rank: number): number => {
        errors ??= leastRankErrors(layer);
        return errors[rank]!;
      };
      for (const rank of possible) {
        for (const format of formats)
          yield {
            ...lowrankCandidate(layer, () => factorize(layer), rank, format, name),
            leastError: () => leastError(rank),
            leastBytes: (rank * (rows + layer.groups * cols) * bitsOfFormat(format)) / 8,
          };
      }
    },
    async search(layer, { error, bytes, forward, measure }) {
      if (!isFactorizable(layer.site)) return undefined;
      const factors = factorize(layer);
      // Rounding of the factors only adds to the error: no smaller rank needs to be looked at.
      const least = forward || layer.weighsRows ? 1 : leastRank(layer, factors, error);
      const closed = !forward && layer.moment !== undefined;
      let best: { candidate: Candidate; bytes: number } | undefined;
      for (const format of formats) {
        const perRank = (factorElements(factors, 1) * bitsOfFormat(format)) / 8;
        const limit = Math.min(maxRank(factors), Math.ceil((best?.bytes ?? bytes) / perRank) - 1);
        const start = closed ? rankOfCurve(layer, factors, format, { limit, least, error }) : least;
        const found = await smallestRank(limit, error, start, async rank => {
          const candidate = lowrankCandidate(layer, () => factorize(layer), rank, format, name);
          return { candidate, rank, error: await measure(candidate) };
        });
        if (found) best = { candidate: found.candidate, bytes: found.rank * perRank };
      }
      return best?.candidate;
    },
  };
}

/** The smallest rank whose error is within the bound before its factors are rounded. */
function leastRank(layer: Layer, factors: Factors, bound: number): number {
  const rank = rankErrors(layer, factors).findIndex(error => error <= bound);
  return rank < 0 ? Infinity : Math.max(1, rank);
}

/** What factors of so many ranks beyond the smallest possible cost to round and to compare is little. */
const BEYOND = 1.15;

/**
 * The smallest rank from `least` on whose factors keep the bound as they are stored: read off the errors of all ranks up
 * to a guess, and of twice as many where none of them does.
 */
function rankOfCurve(
  layer: Layer,
  factors: Factors,
  format: StorageFormat,
  { limit, least, error }: { limit: number; least: number; error: number },
): number {
  for (let most = Math.ceil(BEYOND * least) + 4; least <= limit; most *= 2) {
    const errors = storedErrors(layer, storedPair(layer, factors, Math.min(most, limit), format))!;
    const rank = errors.findIndex((e, r) => r >= least && e <= error);
    if (rank >= 0) return rank;
    if (most >= limit) break;
  }
  return Infinity;
}

function storedPair(layer: Layer, factors: Factors, rank: number, format: StorageFormat): FactorPair {
  const { rows, cols } = layer.matrix;
  return {
    rank,
    inner: new StoredFactor({ data: factors.inner(rank), rows: layer.groups * rank, cols }, format),
    outer: new StoredFactor({ data: transpose(factors.outer(rank), rows), rows: rank, cols: rows }, format),
  };
}

/** Hardware works on vectors of 8 or 16 numbers: a rank in between costs as much as the next one. */
function niceRank(rank: number): number {
  if (rank < 12) return Math.round(rank);
  return rank < 64 ? 4 * Math.round(rank / 4) : 8 * Math.round(rank / 8);
}

function lowrankCandidate(
  layer: Layer,
  factorsOf: () => Factors,
  rank: number,
  format: StorageFormat,
  method: string,
): Candidate {
  const { groups } = layer;
  const { rows, cols } = layer.matrix;
  // Asked for several times in a row, but too large to be kept for good.
  let latest: WeakRef<FactorPair> | undefined;
  const pair = (): FactorPair => {
    const known = latest?.deref();
    if (known) return known;
    const made = storedPair(layer, factorsOf(), rank, format);
    latest = new WeakRef(made);
    return made;
  };
  const weight = (): Float32Array => {
    const { inner, outer } = pair();
    return product(outer.restored(), inner.restored(), rank, rows, cols, groups);
  };
  return {
    method,
    label: format === 'float32' ? method : `${method} ${formatLabel(format)}`,
    rank,
    bits: bitsOfFormat(format),
    weight,
    error: () => storedErrors(layer, pair())?.at(-1) ?? layer.error(weight()),
    apply(target) {
      applyFactors(target, layer.site, pair());
    },
  };
}

/** outerᵀ (rank, rows) and inner (groups · rank, cols) multiplied: (rows, cols). */
function product(
  outer: Float32Array,
  inner: Float32Array,
  rank: number,
  rows: number,
  cols: number,
  groups: number,
): Float32Array {
  const groupRows = rows / groups;
  const result = new Float32Array(rows * cols);
  for (let g = 0; g < groups; g++) {
    const u = matrix(outer.subarray(g * groupRows), rank, groupRows, rows);
    const v = matrix(inner.subarray(g * rank * cols, (g + 1) * rank * cols), rank, cols);
    result.set(matmul(u, v, { transposeA: true }).data, g * groupRows * cols);
  }
  return result;
}

function transpose(data: Float32Array, rows: number): Float32Array {
  const cols = data.length / rows;
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) result[c * rows + r] = data[r * cols + c]!;
  return result;
}

/** Truncated SVD of the weight, factors in float32 (R. Dyro's post-training SVD). */
export const svd = lowrankMethod('svd', plainFactors, ['float32']);

/** The same with factors in integers or float16. */
export const svdQuantize = lowrankMethod('svd', plainFactors, [INT4, INT8, 'float16']);

/** Truncated SVD in the norm of the layer's outputs (SVD-LLM), factors in int8. */
export const lowrank = lowrankMethod('lowrank', whitenedFactors, [INT8]);
