import { cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import type { Groups } from './groups.js';
import { isFree, type Label } from './labels.js';
import { atomsOf, type Selection } from './remove.js';

/**
 * A copy of the model in which the selected channels are multiplied by zero wherever they are summed over. Sizes stay:
 * it shows what `removeChannels` must compute, and lets one try a selection.
 */
export function maskChannels(model: Model, groups: Groups, selection: Selection): Model {
  const removed = atomsOf(selection);
  return gateChannels(model, groups, atoms => (atoms.some(atom => removed.has(atom)) ? 0 : 1)).model;
}

/** A constant that multiplies channels where a node sums over them. */
export interface Gate {
  readonly value: Value;
  /** The atoms of each of its elements. */
  readonly atoms: readonly (readonly Label[])[];
}

/**
 * A copy of the model in which channels are multiplied by constants wherever they are summed over.
 * @param factor of an index, from the atoms of its label
 * @param idle whether to multiply by constants that are all 1 too
 */
export function gateChannels(
  model: Model,
  { dependencies }: Groups,
  factor: (atoms: readonly Label[]) => number,
  { idle = false } = {},
): { model: Model; gates: Gate[] } {
  const copies = new Map<Value, Value>();
  const copy = cloneModel(model, copies);
  const clones = [...copy.graph.nodes];
  const order = new Map([...model.graph.nodes].map((node, i) => [node, clones[i]!]));
  const gates: Gate[] = [];
  for (const { node, input, axis } of dependencies.contractions) {
    const value = node.inputs[input]!;
    const axes = dependencies.axesOf(value)!;
    const own = axes[axis]!;
    if (!isFree(own)) continue;
    const atoms = Array.from(own, label => dependencies.labels.atomsOf(label));
    const factors = atoms.map(factor);
    if (!idle && factors.every(f => f === 1)) continue;
    const dims = axes.map((_, i) => (i === axis ? factors.length : 1));
    const type = dependencies.shapes.typeOf(value);
    const dtype = type?.kind === 'tensor' ? (type.dtype ?? 'float32') : 'float32';
    const constant = copy.graph.constant(Tensor.fromNumbers(dtype, dims, factors), 'mask');
    const clone = order.get(node)!;
    clone.setInput(input, copy.graph.op('Mul', [clone.inputs[input]!, constant]));
    gates.push({ value: constant, atoms });
  }
  return { model: copy, gates };
}
