export * from './checkpoint/folder.node.js';
export * from './index.js';
export * from './logs/tensorboard.node.js';
export * from './logs/text-logs.node.js';
