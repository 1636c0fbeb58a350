import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';

export const ACTIVATIONS = [
  'relu',
  'gelu',
  'gelu-tanh',
  'silu',
  'tanh',
  'sigmoid',
  'elu',
  'leaky-relu',
] as const;

/** `gelu-tanh` is the approximation that GPT-2 and Phi-2 use; `silu` is also known as swish. */
export type Activation = (typeof ACTIVATIONS)[number];

/** Applies a function to each element. */
export function activation(scope: Scope, x: Value, kind: Activation): Value {
  const apply = (opType: string, attributes?: Record<string, number | string>) =>
    scope.op(opType, [x], attributes);
  switch (kind) {
    case 'relu':
      return apply('Relu');
    case 'gelu':
      return apply('Gelu');
    case 'gelu-tanh':
      return apply('Gelu', { approximate: 'tanh' });
    case 'silu':
      return scope.op('Mul', [x, apply('Sigmoid')]);
    case 'tanh':
      return apply('Tanh');
    case 'sigmoid':
      return apply('Sigmoid');
    case 'elu':
      return apply('Elu', { alpha: 1 });
    case 'leaky-relu':
      return apply('LeakyRelu', { alpha: 0.01 });
  }
}

/** max(x, 0) of each element. */
export const relu = (scope: Scope, x: Value): Value => activation(scope, x, 'relu');

/** The sum of two values of equal shape. */
export const add = (scope: Scope, a: Value, b: Value): Value => scope.op('Add', [a, b]);
