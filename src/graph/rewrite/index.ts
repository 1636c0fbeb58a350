export * from './clone.js';
export * from './remove-dead.js';
