export { BoundRun, type RunTensor } from './bound.js';
export { availableProviders, createSession } from './create.js';
export { DeviceTensor, download } from './device.js';
export type { ValueInfo } from './feeds.js';
export type { Provider, SessionOptions } from './options.js';
export { Session, type Tensors } from './session.js';
export { type Comparison, compareSessions, type Timing, type TimingOptions, timeSession } from './timing.js';
