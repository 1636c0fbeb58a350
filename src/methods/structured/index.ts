export * from './block-sparse.js';
export * from './dyad.js';
export * from './method.js';
export * from './monarch.js';
export * from './narrow-feed-forward.js';
export * from './rank-reduction.js';
export * from './stacked-kronecker.js';
export * from './structure.js';
