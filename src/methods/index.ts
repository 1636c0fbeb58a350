export * from './entry.js';
export * from './factorized/index.js';
export * from './penalties/index.js';
export * from './registry.js';
export * from './sparse/index.js';
