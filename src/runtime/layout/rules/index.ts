import { affineRules } from './affine.js';
import { batchNormalization } from './batch-normalization.js';
import { convolution } from './convolution.js';
import { filterGradient } from './filter-gradient.js';
import { pointwiseRules } from './pointwise.js';
import { poolingRules } from './pooling.js';
import { reduction } from './reduction.js';
import type { Rule } from './rule.js';
import { transposedConvolution } from './transposed-convolution.js';

/** The rule of each standard operator that has one. */
export const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    ...affineRules,
    ...pointwiseRules,
    ...poolingRules,
    BatchNormalization: batchNormalization,
    Conv: convolution,
    ConvTranspose: transposedConvolution,
    ReduceMean: reduction,
    ReduceSum: reduction,
    // A filter's gradient ends in one.
    Reshape: filterGradient,
  }),
);
