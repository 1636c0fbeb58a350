export * from './clustered.js';
export * from './cross-layer.js';
export * from './factorized-embedding.js';
export * from './hashed.js';
export * from './substitute.js';
