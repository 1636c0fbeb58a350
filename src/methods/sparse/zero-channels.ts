import { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import type { Node } from '../../graph/node.js';
import type { Tensor } from '../../graph/tensor.js';
import { type ChannelGroup, findGroups, type Groups } from '../../prune/groups.js';
import { type Axis, isFree, type Label } from '../../prune/labels.js';
import { removeChannels } from '../../prune/remove.js';

/**
 * A copy of the model without the channels, neurons and heads that no output depends on: all weights that read them are
 * 0, or make others that no output depends on. It computes the same and is smaller. A layer keeps one at least, and what
 * a normalization takes statistics over stays.
 * @returns the model itself where there are none
 */
export function removeZeroChannels(model: Model): Model {
  const found = findGroups(model);
  const unread = unreadAtoms(found);
  keepOneOfEach(found, unread);
  const selection = new Map<ChannelGroup, number[]>();
  for (const group of found.groups) {
    const idle = group.atoms.flatMap((atom, i) => (unread.has(atom) ? [i] : []));
    if (idle.length > 0) selection.set(group, idle);
  }
  return selection.size === 0 ? model : removeChannels(model, found, selection);
}

/** Takes atoms back until no group, and no axis of any value, would lose all of its indices. */
function keepOneOfEach({ groups, dependencies }: Groups, removed: Set<Label>): void {
  for (const { atoms } of groups) if (atoms.every(atom => removed.has(atom))) removed.delete(atoms[0]!);
  for (const value of dependencies.values()) {
    for (const axis of dependencies.axesOf(value) ?? []) {
      if (!isFree(axis)) continue;
      const atoms = Array.from(axis, label => dependencies.labels.atomsOf(label));
      if (!atoms.every(own => own.some(atom => removed.has(atom)))) continue;
      for (const atom of atoms[0]!) removed.delete(atom);
    }
  }
}

/** The largest set of atoms of which each is read by none, or by weights of 0, or for others of the set. */
function unreadAtoms({ groups, dependencies }: Groups): Set<Label> {
  const { labels } = dependencies;
  const unread = new Set<Label>();
  for (const { approximate, atoms } of groups)
    if (approximate === undefined) for (const atom of atoms) unread.add(atom);

  const isUnread = (atom: Label): boolean => unread.has(atom);
  const atomsOf = (axis: Axis | undefined): readonly (readonly Label[])[] | undefined =>
    isFree(axis) ? Array.from(axis, label => labels.atomsOf(label)) : undefined;
  const readers = dependencies.contractions.flatMap(({ node, input, axis }) => {
    const from = atomsOf(dependencies.axesOf(node.inputs[input]!)?.[axis]);
    const outputs = dependencies.axesOf(node.output);
    const weights = input === 0 ? weightsOf(node) : undefined;
    const to = atomsOf(outputs?.at(weights?.made ?? -1));
    return from ? [{ from, to, weights }] : [];
  });
  // From the outputs backwards, again where what a stream of residuals carries depends on what comes later.
  for (let size = -1; size !== unread.size; ) {
    size = unread.size;
    for (const { from, to, weights } of readers.toReversed()) {
      // Sums without a weight for each, or with weights that are computed, count everything.
      const counts = (index: number): boolean => {
        for (const o of weights?.reads(index) ?? [-1]) if (!to?.[o]?.some(isUnread)) return true;
        return false;
      };
      from.forEach((atoms, i) => {
        if (atoms.some(isUnread) && counts(i)) for (const atom of atoms) unread.delete(atom);
      });
    }
  }
  return unread;
}

interface Weights {
  /** Which axis of the node's output they make. */
  readonly made: number;
  /** Indices of what is made from an index of what is summed over, by weights that are not 0. */
  readonly reads: (index: number) => Generator<number>;
}

/** The constant weights of a node; `undefined` where it has none, or is of another kind. */
function weightsOf(node: Node): Weights | undefined {
  const weight = node.inputs[1] && Graph.constantOf(node.inputs[1]);
  if (!weight || node.domain !== '') return undefined;
  const isZero = zeroBlocks(weight);
  const groups = node.int('group', 1);
  const [first, second] = weight.dims as [number, number];
  switch (node.opType) {
    case 'Conv':
      return {
        made: 1,
        *reads(index) {
          const group = Math.floor(index / second);
          for (let o = (group * first) / groups; o < ((group + 1) * first) / groups; o++)
            if (!isZero(o, index % second)) yield o;
        },
      };
    case 'ConvTranspose':
      return {
        made: 1,
        *reads(index) {
          const group = Math.floor(index / (first / groups));
          for (let o = 0; o < second; o++) if (!isZero(index, o)) yield group * second + o;
        },
      };
    case 'Gemm':
    case 'MatMul': {
      if (weight.dims.length !== 2 || node.int('transA', 0) === 1) return undefined;
      const transposed = node.int('transB', 0) === 1;
      return {
        made: -1,
        *reads(index) {
          for (let o = 0; o < (transposed ? first : second); o++)
            if (!(transposed ? isZero(o, index) : isZero(index, o))) yield o;
        },
      };
    }
    default:
      return undefined;
  }
}

/** Whether all numbers of a tensor at a place of its first two axes are 0. */
function zeroBlocks(tensor: Tensor): (row: number, column: number) => boolean {
  const values = tensor.toFloat32();
  const [rows, columns] = tensor.dims as [number, number];
  const inner = values.length / (rows * columns);
  return (row, column) => {
    const from = (row * columns + column) * inner;
    for (let k = from; k < from + inner; k++) if (values[k] !== 0) return false;
    return true;
  };
}
