import { activation } from './activation.js';
import { attentionOps } from './attention.js';
import { casting } from './cast.js';
import { constants } from './constant.js';
import { controlFlow } from './control.js';
import { convolution } from './conv.js';
import type { OpDefinition } from './definition.js';
import { einsum } from './einsum.js';
import { elementwise } from './elementwise.js';
import { gathering } from './gather.js';
import { loss } from './loss.js';
import { matmul } from './matmul.js';
import { microsoft } from './microsoft.js';
import { normalization } from './normalization.js';
import { pooling } from './pool.js';
import { quantization } from './quantize.js';
import { random } from './random.js';
import { recurrent } from './recurrent.js';
import { reduction } from './reduce.js';
import { OpRegistry } from './registry.js';
import { resizing } from './resize.js';
import { sequences } from './sequence.js';
import { shaping } from './shape.js';
import { signal } from './signal.js';
import { slicing } from './slice.js';

/** All operator families that Whittle knows. A new family is one line here. */
const FAMILIES: readonly (readonly OpDefinition[])[] = [
  elementwise,
  activation,
  convolution,
  matmul,
  attentionOps,
  normalization,
  reduction,
  pooling,
  shaping,
  gathering,
  slicing,
  resizing,
  casting,
  constants,
  quantization,
  recurrent,
  einsum,
  random,
  signal,
  loss,
  sequences,
  controlFlow,
  microsoft,
];

/** The registry that everything uses unless told otherwise. */
export const OPS: OpRegistry = new OpRegistry(FAMILIES.flat());

export { Builder, type BuilderOptions, type Operand } from './builder.js';
export * from './definition.js';
export { OpRegistry } from './registry.js';
export { NEWEST_OPSET, type OperatorSchema, STANDARD_OPERATORS } from './standard.js';
export { byExpansion, type Gradients, type Vjp, type VjpContext, withGradients } from './vjp.js';
