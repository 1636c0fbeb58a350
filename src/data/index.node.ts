export * from './arrays.node.js';
export * from './audio.node.js';
export * from './images.node.js';
export * from './index.js';
export * from './modules.node.js';
export * from './open-inputs.node.js';
