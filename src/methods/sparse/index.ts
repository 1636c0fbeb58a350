import type { MethodEntry } from '../entry.js';
import { DSR } from './dsr.js';
import { GRADUAL } from './gradual.js';
import { GRASP } from './grasp.js';
import { HYBRID } from './hybrid.js';
import { ITERATIVE } from './iterative.js';
import { LOTTERY } from './lottery.js';
import { MAGNITUDE } from './magnitude.js';
import { NARROW } from './narrow.js';
import { RIGL } from './rigl.js';
import { SET } from './set.js';
import { SNIP } from './snip.js';
import { SPARSE_MOMENTUM } from './sparse-momentum.js';

export * from './density.js';
export * from './dsr.js';
export * from './gradual.js';
export * from './grasp.js';
export * from './hybrid.js';
export * from './iterative.js';
export { keepHighest, keepRandom, randomScores } from './keep.js';
export { keptWeights, sparseLayers } from './layers.js';
export * from './lottery.js';
export * from './magnitude.js';
export { MASK, SparseMasks } from './masks.js';
export * from './narrow.js';
export * from './rigl.js';
export * from './set.js';
export * from './snip.js';
export { type MaskRule, sparseMethod } from './sparse-method.js';
export * from './sparse-momentum.js';
export { removeZeroChannels } from './zero-channels.js';

/** Sparse training, in the order in which the methods build on one another. */
export const SPARSE: readonly MethodEntry[] = [
  MAGNITUDE,
  GRADUAL,
  ITERATIVE,
  LOTTERY,
  HYBRID,
  SNIP,
  GRASP,
  SET,
  DSR,
  SPARSE_MOMENTUM,
  RIGL,
  NARROW,
];
