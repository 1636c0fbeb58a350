import type { MethodEntry } from '../entry.js';
import { HINTON } from './hinton.js';
import { FITNETS } from './hints.js';
import { MUTUAL } from './mutual.js';
import { SNAPSHOT } from './snapshot.js';

export * from './born-again.js';
export * from './hinton.js';
export * from './hints.js';
export * from './mutual.js';
export * from './sequence-level.js';
export * from './snapshot.js';
export type { Teacher } from './teacher.js';

/** Distillation as a training can name it; `bornAgain` runs several trainings, `teacherSequences` makes data. */
export const DISTILLATION_METHODS: readonly MethodEntry[] = [HINTON, FITNETS, MUTUAL, SNAPSHOT];
