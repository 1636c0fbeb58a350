import type { MethodEntry } from '../entry.js';
import { BORN_AGAIN } from './generations.js';
import { HINTON } from './hinton.js';
import { FITNETS } from './hints.js';
import { MUTUAL } from './mutual.js';
import { SEQUENCE_LEVEL } from './sequence-training.js';
import { SNAPSHOT } from './snapshot.js';

export * from './born-again.js';
export * from './generations.js';
export * from './hinton.js';
export * from './hints.js';
export * from './mutual.js';
export * from './sequence-level.js';
export * from './sequence-training.js';
export * from './snapshot.js';
export type { Teacher } from './teacher.js';

/** All methods of the family; `bornAgain` and `teacherSequences` give what two of them make on the way. */
export const DISTILLATION_METHODS: readonly MethodEntry[] = [
  HINTON,
  FITNETS,
  MUTUAL,
  SNAPSHOT,
  BORN_AGAIN,
  SEQUENCE_LEVEL,
];
