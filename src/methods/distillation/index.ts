import type { MethodEntry } from '../entry.js';
import { MUTUAL } from './mutual.js';
import { SNAPSHOT } from './snapshot.js';

export * from './born-again.js';
export * from './hinton.js';
export * from './hints.js';
export * from './mutual.js';
export * from './sequence-level.js';
export * from './snapshot.js';
export type { Teacher } from './teacher.js';

/** Distillation that needs no file of a teacher. */
export const DISTILLATION_METHODS: readonly MethodEntry[] = [MUTUAL, SNAPSHOT];
