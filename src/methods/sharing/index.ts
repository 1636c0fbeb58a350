import type { MethodEntry } from '../entry.js';
import { clusteredMethod } from './clustered.js';
import { crossLayerMethod } from './cross-layer.js';
import { factorizedEmbeddingMethod } from './factorized-embedding.js';
import { hashedMethod } from './hashed.js';

export * from './clustered.js';
export * from './cross-layer.js';
export * from './factorized-embedding.js';
export * from './hashed.js';
export * from './substitute.js';

/** All methods of the family that a study can name. */
export const SHARING_METHODS: readonly MethodEntry[] = [
  crossLayerMethod,
  factorizedEmbeddingMethod,
  hashedMethod,
  clusteredMethod,
];
