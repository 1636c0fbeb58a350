export { openContender } from './contender.node.js';
export * from './index.js';
