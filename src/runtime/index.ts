export { BoundRun, type RunTensor } from './bound.js';
export { availableProviders, createSession } from './create.js';
export { DeviceTensor, download } from './device.js';
export { evaluate, releaseEvaluated } from './evaluate.js';
export type { ValueInfo } from './feeds.js';
export type { Provider, SessionOptions } from './options.js';
export { Session, type Tensors } from './session.js';
export { type Comparison, compareSessions, type Timing, type TimingOptions, timeSession } from './timing.js';
export { type Traced, traceShapes } from './trace.js';
