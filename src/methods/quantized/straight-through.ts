import { straightThrough } from '../../graph/autodiff/index.js';
import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';

/** x rounded to the nearest whole number, halves to even; the gradient passes as if it were not. */
export const roundThrough = (b: Builder, x: Value): Value => straightThrough(b.graph, x, b.op('Round', [x]));

/** 1 where x ≥ 0, else −1. Unlike ONNX's Sign it is never 0. */
export const signOf = (b: Builder, x: Value): Value =>
  b.where(b.binary('GreaterOrEqual', x, 0), b.scalar(1), b.scalar(-1));

/** x between two numbers; the gradient is 0 outside. */
export const clip = (b: Builder, x: Value, low: number, high: number): Value =>
  b.op('Clip', [x, b.scalar(low), b.scalar(high)]);

/** x as it is, with a gradient that is `factor` times as large; at least `least`, whatever its gradient. */
export const scaleGradient = (b: Builder, x: Value, factor: number, least: number): Value =>
  straightThrough(b.graph, b.mul(x, factor), b.binary('Max', x, least));

/** The largest element along axes, which stay with size 1; without axes a scalar, the largest of all. */
export function largest(b: Builder, x: Value, axes?: readonly number[]): Value {
  const keepdims = axes ? 1 : 0;
  if (!axes) return b.op('ReduceMax', [x], { keepdims });
  return b.opset >= 18
    ? b.op('ReduceMax', [x, b.ints(axes)], { keepdims })
    : b.op('ReduceMax', [x], { axes, keepdims });
}

/** The mean of all elements, a scalar. */
export const meanOf = (b: Builder, x: Value): Value => b.op('ReduceMean', [x], { keepdims: 0 });
