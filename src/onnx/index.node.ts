export { FileSource } from './file-source.node.js';
export * from './index.js';
export { loadModel } from './load.node.js';
export { type SavedModel, type SaveOptions, saveModel } from './save.node.js';
