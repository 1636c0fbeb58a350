export * from './evaluation.js';
export * from './image-spec.js';
export * from './image-tensor.js';
export * from './random.js';
export * from './sample.js';
