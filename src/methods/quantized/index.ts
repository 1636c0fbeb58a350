export * from './qat.js';
export type { QuantizedLayers } from './layers.js';
export { type QuantizationScheme, type QuantizedOptions, quantizedMethod } from './quantized-method.js';
