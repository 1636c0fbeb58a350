import { graphCost } from '../graph/cost.js';
import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import type { Tensors } from '../runtime/index.js';
import type { Dependencies } from './dependencies.js';
import { constantsOf } from './groups.js';
import { type Axis, isFree, type Label } from './labels.js';

/** What a pruned model takes. */
export interface ModelSize {
  /** Floating-point operations of one run. */
  readonly flops: number;
  /** Elements of the constants that hold channels; all others stay. */
  readonly parameters: number;
}

/** An axis, and how many of the atoms of each index are gone. */
interface Count {
  readonly gone: Uint16Array;
  left: number;
}

/** Something whose size is a product of the sizes of some axes. */
interface Part {
  readonly flops: number;
  readonly parameters: number;
  readonly axes: readonly Count[];
}

/** Forecasts the size of a model without channels, as they are taken away one by one. */
export class SizeForecast {
  readonly whole: ModelSize;
  private readonly parts: Part[] = [];
  private readonly counts = new Map<Int32Array, Count>();
  /** Where an atom occurs. */
  private readonly places = new Map<Label, { count: Count; index: number }[]>();
  private emptied = 0;

  /** @param sample gives the sizes of the inputs */
  constructor(model: Model, dependencies: Dependencies, sample: Tensors) {
    const inputShapes = Object.fromEntries(Object.entries(sample).map(([name, { dims }]) => [name, dims]));
    const countsOf = (axes: readonly Axis[]) =>
      axes.filter(isFree).map(axis => this.countOf(axis, dependencies));
    for (const { node, flops } of graphCost(model, { inputShapes }).nodes) {
      if (flops > 0) this.parts.push({ flops, parameters: 0, axes: countsOf(workAxes(node, dependencies)) });
    }
    for (const constant of constantsOf(model, dependencies)) {
      const parameters = Graph.constantOf(constant)!.size;
      this.parts.push({ flops: 0, parameters, axes: countsOf(dependencies.axesOf(constant)!) });
    }
    this.whole = this.now();
  }

  remove(atoms: Iterable<Label>): void {
    for (const atom of atoms) {
      for (const { count, index } of this.places.get(atom) ?? []) {
        if (count.gone[index]!++ === 0 && --count.left === 0) this.emptied++;
      }
    }
  }

  restore(atoms: Iterable<Label>): void {
    for (const atom of atoms) {
      for (const { count, index } of this.places.get(atom) ?? []) {
        if (--count.gone[index]! === 0 && count.left++ === 0) this.emptied--;
      }
    }
  }

  /** Whether an axis has lost all its indices. */
  get empty(): boolean {
    return this.emptied > 0;
  }

  /** The size as it is now. */
  now(): ModelSize {
    let [flops, parameters] = [0, 0];
    for (const part of this.parts) {
      let share = 1;
      for (const { gone, left } of part.axes) share *= left / gone.length;
      flops += part.flops * share;
      parameters += part.parameters * share;
    }
    return { flops, parameters };
  }

  private countOf(axis: Int32Array, { labels }: Dependencies): Count {
    const known = this.counts.get(axis);
    if (known) return known;
    const count = { gone: new Uint16Array(axis.length), left: axis.length };
    this.counts.set(axis, count);
    axis.forEach((label, index) => {
      for (const atom of labels.atomsOf(label)) {
        const places = this.places.get(atom) ?? [];
        places.push({ count, index });
        this.places.set(atom, places);
      }
    });
    return count;
  }
}

/** The axes that a node's work is proportional to. */
function workAxes(node: Node, dependencies: Dependencies): Int32Array[] {
  const of = (value: Node['inputs'][number] | undefined): readonly Axis[] =>
    (value && dependencies.axesOf(value)) || [];
  const [a, b] = node.inputs;
  const axes = (): readonly Axis[] => {
    switch (node.opType) {
      case 'Conv':
      case 'ConvTranspose':
        return of(b);
      case 'MatMul':
        return [...of(a), ...of(b).slice(-1)];
      case 'Gemm':
        return [...of(a), of(b)[node.int('transB', 0) === 1 ? 0 : 1] ?? ''];
      default:
        return of(node.outputs[0]);
    }
  };
  return axes().filter(isFree);
}
