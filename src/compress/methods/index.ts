import type { Method } from '../method.js';
import { lowrank, svd, svdQuantize } from './lowrank.js';
import { quantize } from './quantize.js';

/** What `--method` may be, and which methods each tries for every layer. */
export const METHODS = {
  svd: [svd],
  quantize: [quantize],
  // Where the factors are not smaller than the layer, its weight alone is quantized.
  'svd+quantize': [svdQuantize, quantize],
  lowrank: [lowrank],
  auto: [quantize, lowrank],
} as const satisfies Record<string, readonly Method[]>;

export type MethodName = keyof typeof METHODS;
