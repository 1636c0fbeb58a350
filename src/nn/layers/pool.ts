import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';

export interface PoolOptions {
  readonly kernelSize: number;
  /** Default the kernel size. */
  readonly stride?: number;
  /** Default 0. */
  readonly padding?: number;
}

/** @param x (batch, channels, height, width) */
export const maxPool2d = (scope: Scope, x: Value, options: PoolOptions): Value =>
  pool(scope, x, 'MaxPool', options);

/** Zeros of the padding count in the mean, as in PyTorch. @param x (batch, channels, height, width) */
export const averagePool2d = (scope: Scope, x: Value, options: PoolOptions): Value =>
  pool(scope, x, 'AveragePool', options);

function pool(
  scope: Scope,
  x: Value,
  opType: 'MaxPool' | 'AveragePool',
  { kernelSize, stride = kernelSize, padding = 0 }: PoolOptions,
): Value {
  return scope.op(opType, [x], {
    kernel_shape: [kernelSize, kernelSize],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    count_include_pad: opType === 'AveragePool' ? 1 : undefined,
  });
}

/** Mean over all positions. @param x (batch, channels, …) @returns (batch, channels) */
export function globalAveragePool(scope: Scope, x: Value): Value {
  const pooled = scope.op('GlobalAveragePool', [x]); // (batch, channels, 1, …)
  return scope.op('Flatten', [pooled], { axis: 1 });
}

/** @returns (batch, everything else) */
export function flatten(scope: Scope, x: Value): Value {
  return scope.op('Flatten', [x], { axis: 1 });
}
