import type { MethodEntry } from '../entry.js';
import { ABC_NET } from './abc-net.js';
import { DOREFA } from './dorefa.js';
import { LSQ } from './lsq.js';
import { QAT } from './qat.js';
import { XNOR } from './xnor.js';

export * from './abc-net.js';
export * from './dorefa.js';
export type { LayerContext, LayerQuantizers } from './layers.js';
export * from './lsq.js';
export * from './qat.js';
export { type QuantizationScheme, type QuantizedOptions, quantizedMethod } from './quantized-method.js';
export type { QuantizedLayers } from './select.js';
export * from './xnor.js';

/** Quantized training, from the most bits to the fewest. */
export const QUANTIZED_METHODS: readonly MethodEntry[] = [QAT, LSQ, DOREFA, XNOR, ABC_NET];
