export * from './adam.js';
export * from './lamb.js';
export type { Optimizer, UpdateContext } from './optimizer.js';
export * from './sgd.js';
