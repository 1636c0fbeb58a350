import type { Dim, Shape } from '../value.js';
import { type KnownElements, MAX_KNOWN_ELEMENTS } from './definition.js';

/** Where a tensor of that shape begins a step on each axis. */
function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * dims[axis + 1]!;
  return strides;
}

/**
 * Elements of a result of shape `dims`, each taken from `source` at the position that `locate` gives for its own.
 * `undefined` where something is not known or too large.
 */
export function pickElements(
  source: KnownElements | undefined,
  dims: Shape | undefined,
  locate: (position: readonly number[]) => readonly number[],
): Dim[] | undefined {
  if (!source || !dims?.every(dim => typeof dim === 'number')) return undefined;
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (size > MAX_KNOWN_ELEMENTS) return undefined;
  const own = stridesOf(dims);
  const strides = stridesOf(source.dims);
  return Array.from({ length: size }, (_, flat) => {
    const position = dims.map((dim, axis) => Math.floor(flat / own[axis]!) % dim);
    const at = locate(position).reduce((offset, index, axis) => offset + index * strides[axis]!, 0);
    return source.values[at] ?? null;
  });
}
