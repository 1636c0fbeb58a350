import { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import type { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { type ChannelGroup, findGroups, type Groups } from '../../prune/groups.js';
import { isFree, type Label } from '../../prune/labels.js';
import { removeChannels } from '../../prune/remove.js';

/**
 * A copy of the model without the channels, neurons and heads whose weights are all 0, those that make them and those
 * that read them: it computes the same and is smaller. What a normalization takes statistics over stays.
 */
export function removeZeroChannels(model: Model): Model {
  const groups = findGroups(model);
  const summed = summedWithoutWeights(groups);
  const selection = new Map<ChannelGroup, number[]>();
  for (const group of groups.groups) {
    if (group.approximate !== undefined) continue;
    const zero = group.atoms.flatMap((atom, i) => (!summed.has(atom) && isZero(group, i) ? [i] : []));
    // A layer without channels computes nothing.
    const chosen = zero.slice(0, group.size - 1);
    if (chosen.length > 0) selection.set(group, chosen);
  }
  return selection.size === 0 ? model : removeChannels(model, groups, selection);
}

/** Whether a channel has weights, matrices or kernels, and all of them are 0. */
function isZero({ slices }: ChannelGroup, channel: number): boolean {
  const weights = slices[channel]!.filter(({ constant }) => tensorOf(constant).dims.length > 1);
  return (
    weights.length > 0 &&
    weights.every(({ constant, axis, indices }) => {
      const { dims, values } = { dims: tensorOf(constant).dims, values: tensorOf(constant).toFloat32() };
      const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
      const outer = dims.slice(0, axis).reduce((product, dim) => product * dim, 1);
      for (let o = 0; o < outer; o++) {
        for (const index of indices) {
          const from = (o * dims[axis]! + index) * inner;
          for (let i = from; i < from + inner; i++) if (values[i] !== 0) return false;
        }
      }
      return true;
    })
  );
}

const tensorOf = (constant: Value): Tensor => Graph.constantOf(constant) as Tensor;

/** Channels that something sums over without a weight for each: they count even where no weight makes them. */
function summedWithoutWeights({ dependencies }: Groups): ReadonlySet<Label> {
  const found = new Set<Label>();
  for (const { node, input, axis } of dependencies.contractions) {
    const weight = node.inputs[1];
    const made = weight?.producer?.opType === 'Transpose' ? weight.producer.inputs[0] : weight;
    if (WEIGHTED.has(node.opType) && made && Graph.constantOf(made)) continue;
    const own = dependencies.axesOf(node.inputs[input]!)?.[axis];
    if (!own || !isFree(own)) continue;
    for (const label of own) for (const atom of dependencies.labels.atomsOf(label)) found.add(atom);
  }
  return found;
}

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
