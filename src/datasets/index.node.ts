export * from './cifar.node.js';
export * from './corpora.node.js';
export * from './image-files.node.js';
export * from './index.js';
export * from './mnist.node.js';
export * from './squad.node.js';
export * from './tiny-imagenet.node.js';
