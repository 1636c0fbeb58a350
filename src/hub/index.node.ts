export { hubCacheFolder } from './cache.node.js';
export * from './index.js';
export { type Pulled, type PullOptions, type PullPlan, pullModel } from './pull.node.js';
