export { type CompressOptions, type CompressResult, compress } from './compress/index.js';
export type { EvalFunction } from './data/evaluation.js';
export type { InputSource, Sample } from './data/sample.js';
export * from './graph/index.js';
export { load, save } from './onnx/files.node.js';
export { createSession, Session } from './runtime/index.js';
export { VERSION } from './version.js';
