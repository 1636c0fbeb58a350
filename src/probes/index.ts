export * from './redundancy.js';
export * from './smallest-fit.js';
export type { ProbedLayer, Squeeze, Squeezed } from './squeeze.js';
export { SQUEEZES } from './squeezes/index.js';
