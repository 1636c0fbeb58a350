import { substitute } from '../dims.js';
import type { Graph } from '../graph.js';
import { Model } from '../model.js';
import { type Dim, tensorType, type Value } from '../value.js';
import { analyzeShapes, type InferOptions, type ShapeAnalysis } from './infer-shapes.js';

/** Concrete shapes of values by name, as one run of the model showed them; its inputs included. */
export type ObservedShapes = ReadonlyMap<string, readonly number[]>;

/**
 * Fills in what inference leaves open from shapes that runs of the model have shown, and writes it to `value.type`.
 *
 * A size that no symbol of the inputs can have caused is taken as a number: all inputs are fixed, or several runs
 * agree although each symbol took different sizes. Otherwise a size that equals one symbol, or the product of two,
 * in every run is taken for it; what remains stays unknown. Choose distinctive sizes (7, 13, 29) for the runs: from
 * a single run on a batch of 1 little can be learned.
 *
 * Values inside subgraphs have no one shape per run and are left alone.
 * @returns the values that learned something
 */
export function learnShapes(
  target: Model | Graph,
  runs: readonly ObservedShapes[],
  options: InferOptions = {},
): Value[] {
  const graph = target instanceof Model ? target.graph : target;
  const analysis = analyzeShapes(target, options);
  const symbols = observedSymbols(graph, analysis, runs);
  const learned: Value[] = [];
  for (const node of graph.nodes) {
    for (const value of node.outputs) {
      const shapes = runs.flatMap(run => {
        const shape = value && run.get(value.name);
        return shape ? [shape] : [];
      });
      if (!value || shapes.length < runs.length || shapes.length === 0) continue;
      const type = analysis.typeOf(value);
      if (type && type.kind !== 'tensor') continue;
      const rank = shapes[0]!.length;
      const known = type?.shape;
      if (known && (known.length !== rank || known.every(dim => dim !== null))) continue;
      // A rank that changes from run to run is no rank.
      if (shapes.some(shape => shape.length !== rank)) continue;
      const shape = Array.from(
        { length: rank },
        (_, axis): Dim =>
          known?.[axis] ??
          generalize(
            shapes.map(s => s[axis]!),
            symbols,
          ),
      );
      if (known && shape.every((dim, i) => dim === known[i])) continue;
      value.type = tensorType(type?.dtype, shape);
      learned.push(value);
    }
  }
  return learned;
}

/** The names in the inputs' shapes, each with its size in every run; a name that a run does not show is left out. */
function observedSymbols(
  graph: Graph,
  analysis: ShapeAnalysis,
  runs: readonly ObservedShapes[],
): ReadonlyMap<string, readonly number[]> {
  const symbols = new Map<string, readonly number[]>();
  for (const input of graph.inputs) {
    const type = analysis.typeOf(input);
    if (type?.kind !== 'tensor') continue;
    type.shape?.forEach((dim, axis) => {
      const sizes = runs.flatMap(run => run.get(input.name)?.[axis] ?? []);
      if (typeof dim === 'string' && sizes.length === runs.length) symbols.set(dim, sizes);
    });
  }
  return symbols;
}

/** The dimension that has these sizes, one for each run. */
function generalize(sizes: readonly number[], symbols: ReadonlyMap<string, readonly number[]>): Dim {
  const constant = sizes.every(size => size === sizes[0]);
  const allVary = [...symbols.values()].every(seen => new Set(seen).size > 1);
  if (constant && allVary) return sizes[0]!;
  const names = [...symbols.keys()];
  const products = names.flatMap((a, i) => names.slice(i).map(b => `${a}*${b}`));
  for (const candidates of [names, products]) {
    const fitting = candidates.filter(candidate =>
      sizes.every((size, run) => {
        const known = new Map([...symbols].map(([name, seen]) => [name, seen[run]!]));
        return size > 1 && substitute(candidate, known) === size;
      }),
    );
    if (fitting.length === 1) return fitting[0]!;
    if (fitting.length > 1) return null;
  }
  return null;
}
