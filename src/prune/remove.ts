import { cloneModel } from '../graph/clone.js';
import { bitsOf } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { type Shape, tensorType, type Value } from '../graph/value.js';
import type { Dependencies } from './dependencies.js';
import type { ShrinkContext } from './dims/definition.js';
import { dimRuleOf } from './dims/index.js';
import { type ChannelGroup, constantsOf, type Groups } from './groups.js';
import { type Axis, isFree, type Label } from './labels.js';

/** Channels to remove from each group, by their index. */
export type Selection = ReadonlyMap<ChannelGroup, Iterable<number>>;

/**
 * A copy of the model without the selected channels: constants cut, group counts and shapes corrected. Inputs and
 * outputs keep their shapes. Where no group of the selection is `approximate`, it computes what the model computes with
 * these channels masked to zero wherever they are summed over (`maskChannels`).
 * @param groups as `findGroups` gave them for this very model
 * @throws WhittleError for an index out of range, and where a dimension would lose all its channels
 */
export function removeChannels(model: Model, groups: Groups, selection: Selection): Model {
  return shrink(model, groups.dependencies, atomsOf(selection)).model;
}

/** The atoms of a selection. @throws WhittleError where it names channels that are not there, or all of a group */
export function atomsOf(selection: Selection): Set<Label> {
  const atoms = new Set<Label>();
  for (const [group, channels] of selection) {
    const chosen = new Set(channels);
    for (const channel of chosen) {
      const atom = group.atoms[channel];
      if (atom === undefined) {
        throw new WhittleError(`the group ${group.name} has no channel ${channel}`, {
          hint: `It has ${group.size}, counted from 0`,
        });
      }
      atoms.add(atom);
    }
    if (chosen.size === group.size) {
      throw new WhittleError(`the group ${group.name} would lose all of its ${group.size} channels`, {
        hint: 'A layer without channels computes nothing; keep at least one, or remove the whole block',
      });
    }
  }
  return atoms;
}

export interface Shrunk {
  readonly model: Model;
  /** Each value of the given model with its copy. */
  readonly copies: ReadonlyMap<Value, Value>;
  /** Indices of an axis of a value of the given model that are left; `undefined` where all are. */
  readonly keptOf: (value: Value, axis: number) => readonly number[] | undefined;
}

/** A copy of a model without the labelled entries of its dimensions, and what became of its values. */
export function shrink(model: Model, dependencies: Dependencies, removed: ReadonlySet<Label>): Shrunk {
  const kept = new Kept(dependencies, removed);
  const copies = new Map<Value, Value>();
  const copy = cloneModel(model, copies);
  const nodes = [...model.graph.nodes];
  // A clone keeps the order of nodes.
  const clones = [...copy.graph.nodes];
  for (const constant of constantsOf(model, dependencies)) cutConstant(constant, copies.get(constant)!, kept);
  for (const [i, node] of nodes.entries()) {
    for (const output of node.outputs) {
      if (!output) continue;
      const shape = kept.shapeOf(output);
      const clone = copies.get(output)!;
      if (shape) clone.type = tensorType(clone.dtype, shape);
    }
    const clone = clones[i]!;
    const rule = node.subgraphs.length > 0 ? undefined : dimRuleOf(node);
    if (rule?.shrink && !Graph.constantOf(node.outputs[0]) && kept.touches(node)) {
      rule.shrink(shrinkContext(node, clone, copy, dependencies, kept));
    }
  }
  return { model: copy, copies, keptOf: (value, axis) => kept.of(value, axis) };
}

/** Which indices of which axes are left. */
class Kept {
  private readonly dependencies: Dependencies;
  private readonly removed: ReadonlySet<Label>;
  private readonly known = new Map<Int32Array, readonly number[] | undefined>();

  constructor(dependencies: Dependencies, removed: ReadonlySet<Label>) {
    this.dependencies = dependencies;
    this.removed = removed;
  }

  /** Indices that stay; `undefined` where all do. */
  of(value: Value | null | undefined, axis: number): readonly number[] | undefined {
    const own: Axis | undefined = value ? this.dependencies.axesOf(value)?.[axis] : undefined;
    if (!isFree(own)) return undefined;
    if (!this.known.has(own)) {
      const { labels } = this.dependencies;
      const left: number[] = [];
      own.forEach((label, index) => {
        if (!labels.atomsOf(label).some(atom => this.removed.has(atom))) left.push(index);
      });
      this.known.set(own, left.length === own.length ? undefined : left);
    }
    const kept = this.known.get(own);
    if (kept?.length === 0) {
      throw new WhittleError(`axis ${axis} would lose all of its ${own.length} indices`, {
        value: value!.name,
        hint: 'Remove fewer channels',
      });
    }
    return kept;
  }

  /** The shape that is left; `undefined` where it stays. */
  shapeOf(value: Value): Shape | undefined {
    const shape = this.dependencies.shapeOf(value);
    const left = shape?.map((size, axis) => this.of(value, axis)?.length ?? size);
    return left?.some((size, axis) => size !== shape![axis]) ? left : undefined;
  }

  touches(node: Node): boolean {
    return [...node.inputs, ...node.outputs].some(
      value => value !== null && this.shapeOf(value) !== undefined,
    );
  }
}

function cutConstant(constant: Value, clone: Value, kept: Kept): void {
  const tensor = Graph.constantOf(constant)!;
  const left = tensor.dims.map((_, axis) => kept.of(constant, axis));
  if (left.every(indices => indices === undefined)) return;
  const cut = takeIndices(tensor, left);
  clone.type = tensorType(cut.dtype, cut.dims);
  if (clone.initializer) clone.initializer = cut;
  else {
    const node = clone.producer!;
    node.attributes.clear();
    node.setAttribute('value', cut);
  }
}

/** The elements at these indices of each axis; `undefined` takes all of an axis. */
function takeIndices(tensor: Tensor, indices: readonly (readonly number[] | undefined)[]): Tensor {
  const width = bitsOf(tensor.dtype) / 8;
  let bytes = tensor.bytes();
  const dims = [...tensor.dims];
  indices.forEach((chosen, axis) => {
    if (!chosen) return;
    const run = sizeOf(dims.slice(axis + 1)) * width;
    const outer = sizeOf(dims.slice(0, axis));
    const taken = new Uint8Array(outer * chosen.length * run);
    for (let o = 0; o < outer; o++) {
      chosen.forEach((index, i) => {
        const from = (o * dims[axis]! + index) * run;
        taken.set(bytes.subarray(from, from + run), (o * chosen.length + i) * run);
      });
    }
    bytes = taken;
    dims[axis] = chosen.length;
  });
  return new Tensor(tensor.dtype, dims, bytes);
}

function shrinkContext(
  node: Node,
  clone: Node,
  { graph, opsets }: Model,
  dependencies: Dependencies,
  kept: Kept,
): ShrinkContext {
  const shape = (value: Value | null | undefined): Shape => (value && dependencies.shapeOf(value)) || [];
  const left = (value: Value | null | undefined, axis: number): number =>
    kept.of(value, axis)?.length ?? (shape(value)[axis] as number);
  return {
    node: clone,
    graph,
    opset: opsets.get(node.domain) ?? 1,
    shape: input => shape(node.inputs[input]),
    outputShape: output => shape(node.outputs[output]),
    kept: (input, axis) => kept.of(node.inputs[input], axis),
    keptOutput: (output, axis) => kept.of(node.outputs[output], axis),
    left: (input, axis) => left(node.inputs[input], axis),
    leftOutput: (output, axis) => left(node.outputs[output], axis),
    numbers(input) {
      const value = node.inputs[input];
      const values = value ? dependencies.shapes.elementsOf(value)?.values : undefined;
      return values?.every(v => typeof v === 'number') ? (values as number[]) : undefined;
    },
  };
}
