import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';

/**
 * Scores over a vocabulary by the rows of a table that is shared with the embedding: x Wᵀ + b.
 * @param x (batch, tokens, features)
 * @param table (count, features)
 * @returns (batch, tokens, count)
 */
export function tiedProjection(
  scope: Scope,
  x: Value,
  table: Value,
  { count, features, bias }: { readonly count: number; readonly features: number; readonly bias?: Value },
): Value {
  // Gemm multiplies by the table as it is stored; MatMul would need a transposed copy of it.
  const rows = scope.reshape(x, -1, features);
  const scores = scope.op('Gemm', bias ? [rows, table, bias] : [rows, table], { transB: 1 });
  const shape = scope.op('Concat', [scope.dimension(x, 0), scope.dimension(x, 1), scope.int64(count)], {
    axis: 0,
  });
  return scope.op('Reshape', [scores, shape]);
}

/** The vector of one token. @param x (batch, tokens, features) @returns (batch, features) */
export const tokenAt = (scope: Scope, x: Value, position: number): Value =>
  scope.op('Gather', [x, scope.index(position)], { axis: 1 });
