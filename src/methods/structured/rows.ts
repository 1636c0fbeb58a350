import type { Value } from '../../graph/value.js';
import type { Scope } from '../../nn/scope.js';

/**
 * Applies a function of matrices to all vectors of x.
 * @param x (…, features)
 * @param apply (rows, features) → (rows, outFeatures)
 * @returns (…, outFeatures)
 */
export function asRows(scope: Scope, x: Value, outFeatures: number, apply: (rows: Value) => Value): Value {
  const shape = x.shape;
  if (shape?.length === 2) return apply(x);
  const features = shape?.at(-1);
  const flat = typeof features === 'number' ? scope.reshape(x, -1, features) : flattened(scope, x);
  const leading = scope.op('Shape', [x], { start: 0, end: -1 });
  const dims = scope.op('Concat', [leading, scope.int64(outFeatures)], { axis: 0 });
  return scope.op('Reshape', [apply(flat), dims]);
}

function flattened(scope: Scope, x: Value): Value {
  const dims = scope.op('Concat', [scope.int64(-1), scope.dimension(x, -1)], { axis: 0 });
  return scope.op('Reshape', [x, dims]);
}

/**
 * Which features make a block: neighbours, or every `blocks`-th one (feature j · blocks + b belongs to block b).
 */
export type BlockOrder = 'contiguous' | 'strided';

/** (rows, blocks · size) → (blocks, rows, size) */
export function toBlocks(scope: Scope, rows: Value, blocks: number, size: number, order: BlockOrder): Value {
  if (order === 'contiguous') return scope.transpose(scope.reshape(rows, -1, blocks, size), 1, 0, 2);
  return scope.transpose(scope.reshape(rows, -1, size, blocks), 2, 0, 1);
}

/** (blocks, rows, size) → (rows, blocks · size) */
export function fromBlocks(scope: Scope, y: Value, blocks: number, size: number, order: BlockOrder): Value {
  const rowsFirst = order === 'contiguous' ? scope.transpose(y, 1, 0, 2) : scope.transpose(y, 1, 2, 0);
  return scope.reshape(rowsFirst, -1, blocks * size);
}

/** (rows, from) → (rows, to), zeros after what there is. */
export function padFeatures(scope: Scope, rows: Value, from: number, to: number): Value {
  return from === to ? rows : scope.op('Pad', [rows, scope.int64(0, 0, 0, to - from)]);
}

/** (rows, from) → (rows, to), the first ones. */
export function firstFeatures(scope: Scope, rows: Value, from: number, to: number): Value {
  if (from === to) return rows;
  return scope.op('Slice', [rows, scope.int64(0), scope.int64(to), scope.int64(1)]);
}

/** Feature number of element j of block b. */
export const featureOf = (b: number, j: number, blocks: number, size: number, order: BlockOrder): number =>
  order === 'contiguous' ? b * size + j : j * blocks + b;
