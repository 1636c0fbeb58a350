import type { MethodEntry } from '../entry.js';
import { GROUP_LASSO } from './group-lasso.js';
import { L1 } from './l1.js';
import { NUCLEAR } from './nuclear.js';
import { ORTHOGONALITY } from './orthogonality.js';
import { QUANTIZATION_NOISE } from './quantization-noise.js';

export * from './group-lasso.js';
export * from './l1.js';
export { type NuclearOptions, nuclearPenalty } from './nuclear.js';
export * from './orthogonality.js';
export type { PenaltyOptions } from './penalized.js';
export * from './quantization-noise.js';

/** Penalties: full-size networks with a redundancy that compression finds afterwards. */
export const PENALTIES: readonly MethodEntry[] = [
  L1,
  GROUP_LASSO,
  NUCLEAR,
  ORTHOGONALITY,
  QUANTIZATION_NOISE,
];
