import { sameDim } from '../dims.js';
import type { Dim, Shape } from '../value.js';
import type { InferContext, KnownElements } from './definition.js';

/** The dimension that two become under numpy's rule; `undefined` where they do not fit. */
function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === 'number') return typeof b === 'number' && a !== b ? undefined : a;
  if (typeof b === 'number') return b;
  // Two names: either may turn out to be 1.
  return sameDim(a, b) ? a : null;
}

/**
 * The shape to which all broadcast, `undefined` where the rank of one is not known.
 * @throws by `context.fail` where they do not fit
 */
export function broadcastShapes(
  context: InferContext,
  shapes: readonly (Shape | undefined)[],
): Shape | undefined {
  if (shapes.some(shape => shape === undefined)) return undefined;
  const known = shapes as readonly Shape[];
  const rank = Math.max(0, ...known.map(shape => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    known.reduce<Dim>((dim, shape) => {
      const own = shape[axis - rank + shape.length];
      const result = broadcastDim(dim, own === undefined ? 1 : own);
      if (result === undefined) {
        context.fail(
          `shapes ${known.map(formatShape).join(' and ')} do not broadcast`,
          `Axis ${axis - rank} is ${dim} in one and ${own} in another`,
        );
      }
      return result;
    }, 1),
  );
}

/** Applies a function to elements of small tensors under broadcasting; `undefined` where one has none. */
export function mapElements(
  context: InferContext,
  inputs: readonly (KnownElements | undefined)[],
  apply: (...values: Dim[]) => Dim,
): readonly Dim[] | undefined {
  if (inputs.some(input => input === undefined)) return undefined;
  const known = inputs as readonly KnownElements[];
  const dims = broadcastShapes(
    context,
    known.map(k => k.dims),
  ) as number[];
  const size = dims.reduce((product, dim) => product * dim, 1);
  return Array.from({ length: size }, (_, flat) =>
    apply(...known.map(k => k.values[broadcastIndex(flat, dims, k.dims)]!)),
  );
}

/** Where the element at `flat` of the broadcast shape lies in a tensor of shape `own`. */
function broadcastIndex(flat: number, dims: readonly number[], own: readonly number[]): number {
  let index = 0;
  let stride = 1;
  let rest = flat;
  for (let axis = dims.length - 1, k = own.length - 1; k >= 0; axis--, k--) {
    const at = rest % dims[axis]!;
    rest = Math.floor(rest / dims[axis]!);
    if (own[k] !== 1) index += at * stride;
    stride *= own[k]!;
  }
  return index;
}

/** `[2, batch, ?]` */
export const formatShape = (shape: Shape | undefined): string =>
  shape === undefined ? '?' : `[${shape.map(dim => dim ?? '?').join(', ')}]`;
