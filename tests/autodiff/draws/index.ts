import { ATTENDING } from './attention.js';
import type { Draws } from './draw.js';
import { ELEMENTWISE } from './elementwise.js';
import { FUSED } from './fused.js';
import { MOVING } from './moving.js';
import { NORMALIZING } from './normalization.js';
import { POOLING } from './pool.js';
import { PRODUCTS } from './product.js';
import { SEQUENCES } from './recurrent.js';
import { REDUCING } from './reduce.js';

/** Cases of each operator, by its name, with its domain where that is not ONNX's. */
export const DRAWS: Draws = {
  ...ELEMENTWISE,
  ...PRODUCTS,
  ...REDUCING,
  ...POOLING,
  ...MOVING,
  ...NORMALIZING,
  ...SEQUENCES,
  ...ATTENDING,
  ...FUSED,
};
