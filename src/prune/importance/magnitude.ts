import { Graph } from '../../graph/graph.js';
import { sizeOf } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { ChannelGroup } from '../groups.js';
import type { RemovalCurve } from './curve.js';

/**
 * Importance by weights alone: the share of each constant's energy Σw² that a channel holds, summed over the
 * constants. The error of a step is the share that is gone.
 * @see H. Li et al.: Pruning Filters for Efficient ConvNets, ICLR 2017
 */
export function magnitudeCurve(group: ChannelGroup, steps: readonly number[]): RemovalCurve {
  const energies = new Map<Value, readonly Float64Array[]>();
  const scores = group.slices.map(slices => {
    let sum = 0;
    for (const { constant, axis, indices } of slices) {
      if (!energies.has(constant)) energies.set(constant, energiesOf(constant));
      const own = energies.get(constant)![axis]!;
      const total = own.reduce((a, b) => a + b, 0);
      // A vector of zeros tells nothing.
      if (total > 0) for (const index of indices) sum += own[index]! / total / slices.length;
    }
    return sum;
  });
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
  let gone = 0;
  let error = 0;
  const errors = steps.map(step => {
    while (gone < step) error += scores[order[gone++]!]!;
    return error;
  });
  return { group, order, steps, errors };
}

/** Σw² of each index of each axis. */
function energiesOf(constant: Value): Float64Array[] {
  const tensor = Graph.constantOf(constant)!;
  const data = tensor.toFloat32();
  return tensor.dims.map((size, axis) => {
    const run = sizeOf(tensor.dims.slice(axis + 1));
    const sums = new Float64Array(size);
    for (let i = 0; i < data.length; i++) sums[Math.floor(i / run) % size]! += data[i]! ** 2;
    return sums;
  });
}
