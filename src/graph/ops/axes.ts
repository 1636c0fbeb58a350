import type { Shape } from '../value.js';
import type { InferContext } from './definition.js';

/** An axis counted from the front. @throws by `context.fail` where the rank has no such axis */
export function normalizeAxis(context: InferContext, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= rank) context.fail(`axis ${axis} is out of range for rank ${rank}`);
  return normal;
}

/**
 * A list of integers that older operator sets give as an attribute and newer ones as an input.
 * 'unknown' where it is an input that is computed at run time, `undefined` where it is not given.
 */
export function intsOf(
  context: InferContext,
  attribute: string,
  input: number,
): number[] | 'unknown' | undefined {
  if (context.has(input)) return context.numbers(input) ?? 'unknown';
  return context.node.ints(attribute);
}

/** A shape with some dimensions replaced. */
export const withDim = (shape: Shape, axis: number, dim: Shape[number]): Shape =>
  shape.map((old, i) => (i === axis ? dim : old));

/** A shape of that rank of which nothing else is known; no runtime takes ranks near the bound. */
export const unknownShape = (rank: number): Shape | undefined =>
  rank <= 64 ? new Array<null>(rank).fill(null) : undefined;
