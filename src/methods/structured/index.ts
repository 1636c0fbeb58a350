import type { MethodEntry } from '../entry.js';
import { blockSparseMethod } from './block-sparse.js';
import { dyadMethod } from './dyad.js';
import { monarchMethod } from './monarch.js';
import { narrowFeedForwardMethod } from './narrow-feed-forward.js';
import { rankReductionMethod } from './rank-reduction.js';
import { stackedKroneckerMethod } from './stacked-kronecker.js';

export * from '../select-layers.js';
export * from './block-sparse.js';
export * from './dyad.js';
export * from './method.js';
export * from './monarch.js';
export * from './narrow-feed-forward.js';
export * from './rank-reduction.js';
export * from './stacked-kronecker.js';
export * from './structure.js';

/** All methods of the family that a study can name. */
export const STRUCTURED_METHODS: readonly MethodEntry[] = [
  narrowFeedForwardMethod,
  rankReductionMethod,
  stackedKroneckerMethod,
  dyadMethod,
  monarchMethod,
  blockSparseMethod,
];
