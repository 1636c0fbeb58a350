/** How low the rank of a matrix is, told from its singular values. */
export interface SpectrumMeasures {
  /** For each share of the energy Σσ², the smallest rank that holds it. */
  energy: { share: number; rank: number }[];
  /**
   * exp of the entropy of the singular values as a distribution: a rank that is no integer.
   * O. Roy, M. Vetterli: The effective rank, EUSIPCO 2007.
   */
  effectiveRank: number;
  /** ‖W‖²_F / ‖W‖²₂, at most the rank and insensitive to small singular values. */
  stableRank: number;
}

export const ENERGY_SHARES = [0.9, 0.95, 0.99, 0.999] as const;

/**
 * @param values singular values, largest first, not negative
 * @returns zeros for a matrix of zeros
 */
export function measureSpectrum(values: ArrayLike<number>): SpectrumMeasures {
  const sigma = Array.from(values);
  const sum = sigma.reduce((total, s) => total + s, 0);
  const energy = sigma.reduce((total, s) => total + s * s, 0);
  const entropy = sigma.reduce((total, s) => (s > 0 ? total - (s / sum) * Math.log(s / sum) : total), 0);
  return {
    energy: ENERGY_SHARES.map(share => ({ share, rank: rankHolding(sigma, share * energy) })),
    effectiveRank: sum > 0 ? Math.exp(entropy) : 0,
    stableRank: energy > 0 ? energy / sigma[0]! ** 2 : 0,
  };
}

function rankHolding(sigma: readonly number[], wanted: number): number {
  let held = 0;
  let rank = 0;
  while (held < wanted && rank < sigma.length) held += sigma[rank++]! ** 2;
  return rank;
}
