import { cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import type { Groups } from './groups.js';
import { isFree } from './labels.js';
import { atomsOf, type Selection } from './remove.js';

/**
 * A copy of the model in which the selected channels are multiplied by zero wherever they are summed over. Sizes stay:
 * it shows what `removeChannels` must compute, and lets one try a selection.
 */
export function maskChannels(model: Model, { dependencies }: Groups, selection: Selection): Model {
  const removed = atomsOf(selection);
  const copies = new Map<Value, Value>();
  const copy = cloneModel(model, copies);
  const clones = [...copy.graph.nodes];
  const order = new Map([...model.graph.nodes].map((node, i) => [node, clones[i]!]));
  for (const { node, input, axis } of dependencies.contractions) {
    const value = node.inputs[input]!;
    const axes = dependencies.axesOf(value)!;
    const own = axes[axis]!;
    if (!isFree(own)) continue;
    const mask = Array.from(own, label =>
      dependencies.labels.atomsOf(label).some(atom => removed.has(atom)) ? 0 : 1,
    );
    if (!mask.includes(0)) continue;
    const dims = axes.map((_, i) => (i === axis ? mask.length : 1));
    const type = dependencies.shapes.typeOf(value);
    const dtype = type?.kind === 'tensor' ? (type.dtype ?? 'float32') : 'float32';
    const constant = copy.graph.constant(Tensor.fromNumbers(dtype, dims, mask), 'mask');
    const clone = order.get(node)!;
    clone.setInput(input, copy.graph.op('Mul', [clone.inputs[input]!, constant]));
  }
  return copy;
}
