import { Graph } from '../graph/graph.js';
import type { InferOptions } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import { type Dependencies, traceDimensions } from './dependencies.js';
import { isFree, type Label } from './labels.js';

/** Indices of one axis of one constant that one channel takes with it. */
export interface Slice {
  readonly constant: Value;
  readonly axis: number;
  readonly indices: readonly number[];
}

/**
 * A dimension that can be made smaller: `size` channels, each of which is removed whole, with all that belongs to it in
 * every constant. A channel is what a layer calls it: an output of a convolution, a neuron, a head with all its columns.
 */
export interface ChannelGroup {
  /** The first constant that it cuts, and the axis: `conv1.weight[0]`. */
  readonly name: string;
  readonly size: number;
  /** What each channel takes with it; every channel has entries for the same constants and axes. */
  readonly slices: readonly (readonly Slice[])[];
  /**
   * Why a model without a channel differs from one in which the channel is masked: a normalization takes statistics
   * over it. Absent where both are the same.
   */
  readonly approximate?: string;
  /** The atoms that the channels are. */
  readonly atoms: readonly Label[];
}

/** Axes of constants that stay, and why. */
export interface RefusedAxis {
  readonly constant: Value;
  readonly axis: number;
  readonly size: number;
  readonly reason: string;
}

export interface Groups {
  readonly groups: readonly ChannelGroup[];
  readonly refused: readonly RefusedAxis[];
  readonly dependencies: Dependencies;
}

/**
 * Finds the dimensions of a model that can be made smaller, and which parts of which weights each of their channels
 * takes along. Inputs and outputs of the model keep their sizes; what passes an operator that is not known stays.
 * Sizes must be known: where a model computes shapes from its inputs, give `inputShapes`.
 */
export function findGroups(model: Model, options: InferOptions = {}): Groups {
  const dependencies = traceDimensions(model, options);
  const { labels } = dependencies;
  const slices = new Map<Label, Slice[]>();
  const refused: RefusedAxis[] = [];
  for (const constant of constantsOf(model, dependencies)) {
    dependencies.axesOf(constant)!.forEach((axis, at) => {
      if (!isFree(axis)) return;
      const owned = new Map<Label, number[]>();
      let reason: string | undefined;
      axis.forEach((label, index) => {
        const atoms = labels.atomsOf(label);
        if (atoms.length === 0) reason ??= labels.reasonOf(label);
        for (const atom of atoms) {
          const indices = owned.get(atom) ?? [];
          indices.push(index);
          owned.set(atom, indices);
        }
      });
      if (owned.size === 0)
        refused.push({ constant, axis: at, size: axis.length, reason: reason ?? 'it stays' });
      for (const [atom, indices] of owned) {
        const list = slices.get(atom) ?? [];
        list.push({ constant, axis: at, indices });
        slices.set(atom, list);
      }
    });
  }
  // Channels that take the same from the same constants are alternatives to each other.
  const alike = new Map<string, Label[]>();
  const numbers = new Map<Value, number>();
  for (const [atom, parts] of slices) {
    const signature = parts
      .map(({ constant, axis, indices }) => {
        if (!numbers.has(constant)) numbers.set(constant, numbers.size);
        return `${numbers.get(constant)}:${axis}:${indices.length}`;
      })
      .join(' ');
    const list = alike.get(signature) ?? [];
    list.push(atom);
    alike.set(signature, list);
  }
  const groups: ChannelGroup[] = [];
  for (const atoms of alike.values()) {
    const own = atoms.map(atom => slices.get(atom)!);
    const first = own[0]![0]!;
    const approximate = labels.approximationOf(atoms[0]!);
    if (atoms.length < 2) continue;
    groups.push({
      name: `${first.constant.name}[${first.axis}]`,
      size: atoms.length,
      slices: own,
      atoms,
      ...(approximate !== undefined && { approximate }),
    });
  }
  return { groups: distinct(groups), refused, dependencies };
}

/** Constants that were met and hold labels, in the order of the nodes. */
export function* constantsOf(model: Model, dependencies: Dependencies): Generator<Value> {
  const seen = new Set<Value>();
  for (const node of model.graph.nodes) {
    for (const value of node.inputs) {
      if (!value || seen.has(value) || !Graph.constantOf(value)) continue;
      seen.add(value);
      if (dependencies.axesOf(value)?.some(isFree)) yield value;
    }
  }
}

/** Two groups may start in the same axis: a head, and a place in each head. */
function distinct(groups: readonly ChannelGroup[]): ChannelGroup[] {
  const count = new Map<string, number>();
  return groups.map(group => {
    const n = (count.get(group.name) ?? 0) + 1;
    count.set(group.name, n);
    return n === 1 ? group : { ...group, name: `${group.name}#${n}` };
  });
}
