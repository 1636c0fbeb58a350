import type { TrainingMethod } from '../../train/index.js';
import { type FactorDecay, factorDecay } from './decay/index.js';
import { type FactorizePolicy, factorize } from './factorize.js';

export interface LowRankTrainingOptions extends FactorizePolicy {
  /** What holds the factors small; default `frobenius`. */
  readonly decay?: FactorDecay;
  /** λ of that decay as a multiple of the weight decay; default 1. */
  readonly strength?: number;
}

/**
 * Training in factorized form: layers become products of two factors before the first step (`factorize`), and the
 * factors get a decay of their own.
 */
export function lowRank({
  decay = 'frobenius',
  strength = 1,
  ...policy
}: LowRankTrainingOptions): TrainingMethod {
  const method = factorDecay(decay, { strength });
  return {
    ...method,
    name: 'low-rank',
    prepare(network) {
      factorize(network, policy);
      method?.prepare?.(network);
    },
  };
}
