import type { MethodEntry } from '../entry.js';
import { GRADUAL } from './gradual.js';
import { ITERATIVE } from './iterative.js';
import { MAGNITUDE } from './magnitude.js';
import { RIGL } from './rigl.js';

export * from './density.js';
export * from './gradual.js';
export * from './iterative.js';
export * from './magnitude.js';
export { MASK, SparseMasks } from './masks.js';
export * from './rigl.js';
export { type MaskRule, sparseMethod } from './sparse-method.js';

/** Sparse training, in the order in which the methods build on one another. */
export const SPARSE: readonly MethodEntry[] = [MAGNITUDE, GRADUAL, ITERATIVE, RIGL];
