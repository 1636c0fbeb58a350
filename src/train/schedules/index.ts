export * from './cosine.js';
export * from './one-cycle.js';
export * from './part.js';
export * from './plateau.js';
export { constant, type Moment, type Schedule } from './schedule.js';
export * from './stepwise.js';
export * from './warmup.js';
