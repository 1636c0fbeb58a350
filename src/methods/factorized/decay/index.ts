import type { TrainingMethod } from '../../../train/index.js';
import { type FrobeniusDecayOptions, frobeniusDecay } from './frobenius.js';
import { orthogonalityDecay } from './orthogonality.js';
import { factorPenalty } from './penalty.js';

export { type FrobeniusDecayOptions, frobeniusDecay } from './frobenius.js';
export { type OrthogonalityOptions, orthogonalityDecay } from './orthogonality.js';

/** Factors do not decay; other parameters do. */
export const noFactorDecay = (): TrainingMethod =>
  factorPenalty({
    name: 'no-factor-decay',
    parameters: network => [...network.factorized.values()].flatMap(({ factors }) => factors),
  });

export const FACTOR_DECAYS = ['frobenius', 'weight', 'none', 'orthogonal'] as const;

/** What holds factors small: `weight` is ordinary weight decay on each factor. */
export type FactorDecay = (typeof FACTOR_DECAYS)[number];

/** The training method for a decay; none for `weight`. */
export function factorDecay(
  decay: FactorDecay,
  options: FrobeniusDecayOptions = {},
): TrainingMethod | undefined {
  switch (decay) {
    case 'frobenius':
      return frobeniusDecay(options);
    case 'orthogonal':
      return orthogonalityDecay(options);
    case 'none':
      return noFactorDecay();
    case 'weight':
      return undefined;
  }
}
