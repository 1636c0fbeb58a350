import { Graph } from '../../graph/graph.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { DimRule, ShrinkContext } from './definition.js';

/** Puts numbers in the place of some entries of a 1-D int64 value. */
function withEntries(
  graph: Graph,
  value: Value,
  length: number,
  entries: ReadonlyMap<number, number>,
): Value {
  const constant = Graph.constantOf(value);
  const position = Array.from({ length }, (_, i) => i);
  if (constant) {
    const old = constant.toNumbers();
    return graph.constant(
      Tensor.fromNumbers(
        constant.dtype,
        constant.dims,
        old.map((entry, i) => entries.get(i) ?? entry),
      ),
      value.name,
    );
  }
  // The model computes it: keep what it computes of the other entries.
  const others = graph.constant(Tensor.int64(position.map(i => (entries.has(i) ? 0 : 1))), 'others');
  const sizes = graph.constant(Tensor.int64(position.map(i => entries.get(i) ?? 0)), 'sizes');
  return graph.op('Add', [graph.op('Mul', [value, others]), sizes]);
}

/** The same for an input of the node that is corrected. */
export function setEntries(c: ShrinkContext, input: number, entries: ReadonlyMap<number, number>): void {
  if (entries.size === 0) return;
  const length = c.shape(input)[0];
  if (typeof length !== 'number') throw new Error('a shape of unknown length was followed');
  c.node.setInput(input, withEntries(c.graph, c.node.inputs[input]!, length, entries));
}

/**
 * What a model computes from sizes stays what it was: only where a shape is used is it corrected. So a scale that is
 * made of a size keeps its value, as if the removed channels were masked.
 */
const shape: DimRule = {
  ops: ['Shape'],
  pass(c) {
    c.axes(0);
    c.out(0, ['it holds a shape']);
  },
  shrink(c) {
    const sizes = c.shape(0);
    const wrapped = (at: number) => Math.min(sizes.length, Math.max(0, at < 0 ? at + sizes.length : at));
    const [start, end] = [wrapped(c.node.int('start', 0)), wrapped(c.node.int('end', sizes.length))];
    const entries = new Map<number, number>();
    for (let axis = start; axis < end; axis++) {
      if (c.kept(0, axis)) entries.set(axis - start, sizes[axis] as number);
    }
    if (entries.size === 0) return;
    const value = c.node.output;
    const readers = value.consumers;
    const corrected = withEntries(c.graph, value, end - start, entries);
    for (const reader of readers) {
      reader.inputs.forEach((input, i) => {
        if (input === value) reader.setInput(i, corrected);
      });
    }
  },
};

export const SHAPES = [shape];
