import { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import type { Value } from '../graph/value.js';
import { type FoundAttention, findAttentions, lastOf, nodesBetween, sourcesOf } from './find-attentions.js';
import type { AttentionLayer, LinearLayer } from './layer.js';
import type { Network } from './network.js';

/** Records the attentions whose query, key and value have equally many heads, and lie side by side where fused. */
export function recordAttentions(network: Network): void {
  const known = new Set<string>();
  for (const layer of network.layers.values()) {
    if (layer.kind === 'attention') known.add(layer.outputProjection);
  }
  for (const found of findAttentions(network)) {
    const record = recordOf(found);
    if (!record || known.has(record.outputProjection)) continue;
    let path = record.path;
    for (let i = 0; network.layers.has(path); i++) path = `${record.path || 'attention'}_${i}`;
    network.layers.set(path, { ...record, path });
  }
}

function recordOf({ query, key, value, output, heads }: FoundAttention): AttentionLayer | undefined {
  const { headDim } = heads;
  const inner = output.inFeatures;
  const fused = query === key && key === value;
  const widths = [query, key, value].map(({ outFeatures }) => outFeatures / (fused ? 3 : 1));
  if (headDim === undefined || inner % headDim !== 0 || widths.some(width => width !== inner))
    return undefined;
  if (!fused && new Set([query, key, value]).size < 3) return undefined;
  const asExpected = heads.parts.every((part, i) => {
    const layer = [query, key, value][i]!;
    const inOrder = heads.packed || headDim === inner || splitsHeads(part, layer, headDim);
    return inOrder && (!fused || isPart(part, layer, i, inner));
  });
  if (!asExpected) return undefined;
  const paths = [query, key, value, output].map(({ path }) => path);
  return {
    kind: 'attention',
    path: commonPath(paths) || 'attention',
    heads: inner / headDim,
    headDim,
    projections: fused ? { fused: query.path } : { query: query.path, key: key.path, value: value.path },
    outputProjection: output.path,
    causal: undefined,
  };
}

/** What paths have in common up to a point. */
function commonPath(paths: readonly string[]): string {
  const parts = paths.map(path => path.split('.'));
  const first = parts[0]!;
  const end = first.findIndex((part, i) => parts.some(other => other[i] !== part));
  return first.slice(0, end < 0 ? first.length : end).join('.');
}

/** Whether features are dealt out to heads in order: head h has the features h · headDim and on. */
const splitsHeads = (part: Value, layer: LinearLayer, headDim: number): boolean =>
  [...nodesBetween(part, layer)].some(
    ({ opType, output }) => opType === 'Reshape' && lastOf(output) === headDim,
  );

/** Whether a part is the i-th third of what a fused layer gives: query, key, value side by side. */
function isPart(part: Value, layer: LinearLayer, i: number, inner: number): boolean {
  const choosers = [...nodesBetween(part, layer)].flatMap(node => {
    const at = thirdTaken(node, inner);
    return at === undefined ? [] : [{ node, at }];
  });
  // A Split has all three among its outputs: it must be the one that leads to this part.
  return choosers.length === 1 && choosers[0]!.at(part) === i;
}

/** Which third of a fused product a node takes, asked for what it leads to; `undefined` for nodes that take none. */
function thirdTaken(node: Node, inner: number): ((part: Value) => number | undefined) | undefined {
  const x = node.inputs[0];
  const rank = x?.shape?.length;
  if (!x || rank === undefined) return undefined;
  const axisOf = (axis: number): number => (axis < 0 ? axis + rank : axis);
  const numbers = (index: number): number[] | undefined => {
    const tensor = Graph.constantOf(node.inputs[index]);
    return tensor && [...tensor.toFloat64()];
  };
  if (node.opType === 'Split') {
    const size = thirdSize(x, axisOf(node.int('axis', 0)), inner);
    if (size === undefined || node.outputs.length !== 3) return undefined;
    return part => {
      const outputs = node.outputs.map((output, i) => (output && leadsTo(output, part) ? i : -1));
      const taken = outputs.filter(i => i >= 0);
      return taken.length === 1 ? taken[0] : undefined;
    };
  }
  if (node.opType === 'Gather') {
    const [index, ...more] = numbers(1) ?? [];
    const size = thirdSize(x, axisOf(node.int('axis', 0)), inner);
    return size === 1 && more.length === 0 && index !== undefined
      ? () => (index < 0 ? index + 3 : index)
      : undefined;
  }
  if (node.opType !== 'Slice') return undefined;
  const [start, ...more] = numbers(1) ?? [];
  const axis = numbers(3)?.[0] ?? 0;
  const size = thirdSize(x, axisOf(axis), inner);
  if (size === undefined || start === undefined || more.length > 0) return undefined;
  return () => start / size;
}

const leadsTo = (output: Value, part: Value): boolean =>
  sourcesOf(part, value => (value === output ? value : undefined)).size === 1;

/**
 * The size of a third along an axis: of the features themselves, or of an axis of three in front of heads and their
 * places, which may have been moved.
 */
function thirdSize(x: Value, axis: number, inner: number): number | undefined {
  const shape = x.shape!;
  if (axis === shape.length - 1 && shape[axis] === 3 * inner) return inner;
  if (shape[axis] !== 3) return undefined;
  const moved = x.producer?.opType === 'Transpose' ? x.producer : undefined;
  const reshaped = moved ? moved.inputs[0]! : x;
  const at = moved ? (moved.ints('perm') ?? [])[axis] : axis;
  const before = reshaped.shape;
  const inFront = before && reshaped.producer?.opType === 'Reshape' && at === before.length - 3;
  return inFront && (before.at(-1) as number) * (before.at(-2) as number) === inner ? 1 : undefined;
}
