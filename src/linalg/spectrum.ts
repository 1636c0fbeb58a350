import { WhittleError } from '../graph/errors.js';
import type { Matrix } from './matrix.js';
import { singularValues } from './svd.js';

/**
 * Effective rank: exp of the entropy of the singular values divided by their sum (Roy & Vetterli, "The effective rank",
 * 2007). 1 for one direction, r for r equal ones; 0 for the zero matrix. Takes a matrix or its singular values.
 */
export function effectiveRank(a: Matrix | Float64Array): number {
  const s = spectrumOf(a);
  const sum = s.reduce((x, y) => x + y, 0);
  if (sum === 0) return 0;
  let entropy = 0;
  for (const value of s) if (value > 0) entropy -= (value / sum) * Math.log(value / sum);
  return Math.exp(entropy);
}

/** Stable rank: ‖A‖²_F / ‖A‖²₂, never more than the rank; 0 for the zero matrix. */
export function stableRank(a: Matrix | Float64Array): number {
  const s = spectrumOf(a);
  const largest = s[0]!;
  return largest === 0 ? 0 : s.reduce((sum, value) => sum + (value / largest) ** 2, 0);
}

/** Condition number σ_max / σ_min in the spectral norm; Infinity where σ_min is 0. */
export function conditionNumber(a: Matrix | Float64Array): number {
  const s = spectrumOf(a);
  return s.at(-1) === 0 ? Number.POSITIVE_INFINITY : s[0]! / s.at(-1)!;
}

/** Singular values, largest first. */
function spectrumOf(a: Matrix | Float64Array): Float64Array {
  if (!(a instanceof Float64Array)) return singularValues(a);
  if (a.length === 0) throw new WhittleError('a spectrum needs at least one singular value');
  for (let i = 0; i < a.length; i++) {
    if (!(a[i]! >= 0 && a[i]! <= (a[i - 1] ?? Number.MAX_VALUE))) {
      throw new WhittleError(
        `singular value ${i} is ${a[i]}: they must be finite, not negative, largest first`,
      );
    }
  }
  return a;
}
