import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import type { Pair } from './pairs.js';

/** The other side of the sum that a layer's output goes into, in both models. */
export interface Shortcut {
  readonly whole: Value;
  /** Asked for anew each time: a turn may have put a bias before it. */
  readonly pruned: () => Value;
}

/**
 * The order in which layers are refit: each after all that it reads, those that do not read each other together. And
 * the shortcuts whose values are final before the layer's turn.
 */
export function layOut(
  model: Model,
  pairs: readonly Pair[],
): { depths: Map<Pair, number>; shortcuts: Map<Pair, Shortcut> } {
  const byNode = new Map(pairs.map(pair => [pair.pruned.uses[0]!.node, pair]));
  const depths = new Map<Pair, number>();
  const shortcuts = new Map<Pair, Shortcut>();
  const depthOf = new Map<Value, number>();
  const depthAt = (value: Value | null) => (value && depthOf.get(value)) ?? 0;
  model.graph.sort();
  for (const node of model.graph.nodes) {
    const depth = Math.max(0, ...node.inputs.map(depthAt));
    const pair = byNode.get(node);
    if (pair) depths.set(pair, depth);
    for (const output of node.outputs) if (output) depthOf.set(output, depth + (pair ? 1 : 0));
  }
  for (const pair of pairs) {
    const whole = sumBehind(pair.whole.uses[0]!.node);
    const pruned = sumBehind(pair.pruned.uses[0]!.node);
    if (!whole || !pruned || pair.narrow.groups !== 1) continue;
    if (depthAt(pruned.sum.inputs[pruned.other]!) > depths.get(pair)!) continue;
    shortcuts.set(pair, {
      whole: whole.sum.inputs[whole.other]!,
      pruned: () => pruned.sum.inputs[pruned.other]!,
    });
  }
  return { depths, shortcuts };
}

/** The sum with another activation of the same shape that alone reads a layer's output, its bias between. */
function sumBehind(layer: Node): { sum: Node; other: number } | undefined {
  let at = layer.output;
  for (let step = 0; step < 2; step++) {
    const [reader, ...others] = at.consumers;
    if (reader?.opType !== 'Add' || reader.domain !== '' || others.length > 0) return undefined;
    const other = reader.inputs[0] === at ? 1 : 0;
    const value = reader.inputs[other]!;
    if (value === at) return undefined;
    if (!Graph.constantOf(value)) {
      const same =
        value.shape !== undefined && at.shape !== undefined && value.shape.length === at.shape.length;
      const axis = layer.opType === 'Conv' ? 1 : (at.shape?.length ?? 0) - 1;
      return same && value.shape[axis] === at.shape![axis] && !broadcasts(value, at)
        ? { sum: reader, other }
        : undefined;
    }
    at = reader.output;
  }
  return undefined;
}

const broadcasts = (a: Value, b: Value): boolean =>
  a.shape!.some((size, axis) => (size === 1) !== (b.shape![axis] === 1));

/** x − z on the channels that are left. */
export function gapOf(graph: Graph, pair: Pair, x: Value, z: Value): Value {
  const axis = pair.pruned.kind === 'conv' ? 1 : x.shape!.length - 1;
  const kept =
    x.shape![axis] === pair.rows.length
      ? x
      : graph.op('Gather', [x, graph.constant(Tensor.int64(pair.rows), 'rows')], { axis });
  const gap = graph.op('Sub', [kept, z]);
  gap.type = z.type ?? x.type;
  return gap;
}
