export { availableProviders, createSession } from './create.js';
export type { ValueInfo } from './feeds.js';
export type { Provider, SessionOptions } from './options.js';
export { Session, type Tensors } from './session.js';
