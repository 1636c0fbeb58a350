import type { Squeeze } from '../squeeze.js';
import { clustered } from './clustered.js';
import { factorized } from './factorized.js';
import { narrowed } from './narrowed.js';
import { pruned } from './pruned.js';
import { quantized } from './quantized.js';

/** The ways that are probed, one kind of redundancy each. */
export const SQUEEZES: readonly Squeeze[] = [pruned, narrowed, factorized, quantized, clustered];
