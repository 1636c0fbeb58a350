import { WhittleError } from '../../graph/errors.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';

/** Cosines and sines of rotary positions, computed once and shared by all layers. */
export interface Rotary {
  /** (tokens, dim) */
  readonly cos: Value;
  readonly sin: Value;
  /** How many of the head's dimensions are rotated: the first ones. */
  readonly dim: number;
  readonly headDim: number;
}

export interface RotaryOptions {
  readonly headDim: number;
  /** Dimensions that rotate; default all. */
  readonly dim?: number;
  /** Base of the wave lengths; default 10000. */
  readonly base?: number;
}

/**
 * Angles position / base^(2i/dim) for the positions 0 … tokens − 1.
 * @param tokens how many, an int64 vector of one element
 * @throws WhittleError for a number of dimensions that is odd, 0 or more than a head has
 * Su et al., "RoFormer", arXiv:2104.09864.
 */
export function rotaryTable(
  scope: Scope,
  tokens: Value,
  { headDim, dim = headDim, base = 10000 }: RotaryOptions,
): Rotary {
  if (dim % 2 !== 0 || dim < 2 || dim > headDim) {
    throw new WhittleError(`${dim} of ${headDim} dimensions of a head cannot rotate in pairs`, {
      hint: 'Choose an even number of at least 2, by the fraction that rotates or the width of a head',
    });
  }
  const half = Float32Array.from({ length: dim / 2 }, (_, i) => base ** ((-2 * i) / dim));
  // Each angle serves two dimensions, dim / 2 apart.
  const frequencies = scope.constant(`rotary/${dim}/${base}`, () =>
    Tensor.float32([dim], Float32Array.of(...half, ...half)),
  );
  const positions = scope.cast(scope.range(tokens), 'float32');
  const column = scope.op('Unsqueeze', [positions, scope.int64(1)]);
  const angles = scope.op('Mul', [column, frequencies]);
  return {
    cos: scope.op('Cos', [angles]),
    sin: scope.op('Sin', [angles]),
    dim,
    headDim,
  };
}

/**
 * Rotates the pairs (i, i + dim/2) of each token's vector by its angles; dimensions beyond `dim` stay.
 * @param x (batch, heads, tokens, headDim)
 */
export function rotate(scope: Scope, x: Value, { cos, sin, dim, headDim }: Rotary): Value {
  const part = (from: number, to: number): Value =>
    scope.op('Slice', [x, scope.int64(from), scope.int64(to), scope.int64(-1)]);
  const turning = dim === headDim ? x : part(0, dim);
  const first = part(0, dim / 2);
  const second = part(dim / 2, dim);
  const negative = scope.op('Neg', [second]);
  const quarter = scope.op('Concat', [negative, first], { axis: -1 }); // turned by 90°
  const rotated = scope.op('Add', [scope.op('Mul', [turning, cos]), scope.op('Mul', [quarter, sin])]);
  if (dim === headDim) return rotated;
  return scope.op('Concat', [rotated, part(dim, headDim)], { axis: -1 });
}
