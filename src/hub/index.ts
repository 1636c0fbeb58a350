export * from './reference.js';
export * from './select.js';
