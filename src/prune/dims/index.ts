import type { Node } from '../../graph/node.js';
import { ATTENTION } from './attention.js';
import { CONCAT } from './concat.js';
import { CONV } from './conv.js';
import type { DimRule } from './definition.js';
import { ELEMENTWISE } from './elementwise.js';
import { EXPAND } from './expand.js';
import { MATMUL } from './matmul.js';
import { NORMALIZATION } from './normalization.js';
import { RECURRENT } from './recurrent.js';
import { REDUCE } from './reduce.js';
import { RESHAPE } from './reshape.js';
import { SHAPES } from './shapes.js';
import { SPATIAL } from './spatial.js';

const RULES: readonly DimRule[] = [
  ATTENTION,
  CONCAT,
  CONV,
  ELEMENTWISE,
  EXPAND,
  MATMUL,
  NORMALIZATION,
  RECURRENT,
  REDUCE,
  RESHAPE,
  SHAPES,
  SPATIAL,
].flat();

const BY_NAME = new Map(RULES.flatMap(rule => rule.ops.map(op => [`${rule.domain ?? ''}.${op}`, rule])));

/** The rule of a node's operator; `undefined` where nothing is known of it. */
export const dimRuleOf = (node: Node): DimRule | undefined => BY_NAME.get(`${node.domain}.${node.opType}`);
