export * from './images.node.js';
export * from './index.js';
