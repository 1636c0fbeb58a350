export * from './index.js';
export * from './weights.node.js';
