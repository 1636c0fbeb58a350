export * from './crop.js';
export * from './cutout.js';
export * from './flip.js';
export * from './loader.js';
export * from './mixup.js';
export type { Transform } from './transform.js';
