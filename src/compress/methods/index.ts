import type { Goal, Method } from '../method.js';
import { cluster } from './cluster.js';
import { int8Dynamic } from './int8-dynamic.js';
import { int8Static, type StaticRanges } from './int8-static.js';
import { integers } from './integers.js';
import { kronecker } from './kronecker.js';
import { laser } from './laser.js';
import { lowrank, svd, svdQuantize } from './lowrank.js';
import { quantize } from './quantize.js';
import { residual } from './residual.js';
import { sparse } from './sparse.js';
import { spatial } from './spatial.js';

/** What `--method` may be, and which methods each tries for every layer. */
export const METHODS = {
  svd: [svd],
  quantize: [quantize],
  // Where the factors are not smaller than the layer, its weight alone is quantized.
  'svd+quantize': [svdQuantize, quantize],
  lowrank: [lowrank],
  spatial: [spatial],
  residual: [residual],
  cluster: [cluster],
  sparse: [sparse],
  kronecker: [kronecker],
  laser: [laser],
  auto: [quantize, lowrank],
} as const satisfies Record<string, readonly Method[]>;

/** Methods that no goal tries of itself: they are asked for by name, alone or beside others. */
export const OPTIONAL: readonly Method[] = [cluster, sparse, kronecker, laser, residual];

export type MethodName = keyof typeof METHODS;

/**
 * The methods that fit a goal. For memory and speed, `quantize` and `auto` write weights in other forms; the rest mean
 * the same for every goal.
 * @param ranges of activations, for static integers; without them convolutions stay in floats
 */
export function methodsFor(
  name: MethodName,
  goal: Goal = 'size',
  { ranges }: { ranges?: StaticRanges | undefined } = {},
): readonly Method[] {
  if (goal === 'size' || (name !== 'auto' && name !== 'quantize')) return METHODS[name];
  if (goal === 'memory') return [integers];
  const integerProducts = ranges ? [int8Dynamic, int8Static(ranges)] : [int8Dynamic];
  // What cannot run in integers is at least stored in them: at the speed of floats.
  return name === 'quantize'
    ? [...integerProducts, quantize]
    : [...integerProducts, lowrank, spatial, quantize];
}
