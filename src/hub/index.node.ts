export { hubCacheFolder } from './cache.node.js';
export { folderOf, type ModelFolder, openModelFolder } from './folder.node.js';
export * from './index.js';
export { type Pulled, type PullOptions, type PullPlan, pullModel } from './pull.node.js';
export { type SavedFolder, type SaveFolderOptions, saveModelFolder } from './save-folder.node.js';
