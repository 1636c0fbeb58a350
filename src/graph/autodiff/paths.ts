import { isFloat } from '../dtype.js';
import type { Node } from '../node.js';
import type { Value } from '../value.js';

/** Whether a gradient can pass through a value: it holds real numbers, or nothing is known of it. */
export const isDifferentiable = (value: Value): boolean =>
  value.dtype === undefined ? value.type === undefined || value.type.kind === 'tensor' : isFloat(value.dtype);

/** What a node reads: its inputs, and what its subgraphs capture. */
function* readsOf(node: Node): Generator<Value> {
  for (const input of node.inputs) if (input) yield input;
  for (const graph of node.subgraphs) {
    for (const inner of graph.nodes) yield* readsOf(inner);
    for (const output of graph.outputs) yield output;
  }
}

/** Whether a node reads one of the values. */
export function reads(node: Node, values: ReadonlySet<Value>): boolean {
  for (const value of readsOf(node)) if (values.has(value)) return true;
  return false;
}

/**
 * The nodes that `outputs` depend on, in topological order. Values of `leaves` count as given: what computes them is
 * left out.
 */
export function ancestors(outputs: Iterable<Value>, leaves: ReadonlySet<Value>): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; reads: Iterator<Value> }[] = [];
  const enter = (value: Value): void => {
    const node = value.producer;
    if (!node || leaves.has(value) || seen.has(node)) return;
    seen.add(node);
    stack.push({ node, reads: readsOf(node) });
  };
  for (const output of outputs) {
    enter(output);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const next = top.reads.next();
      if (next.done) {
        order.push(top.node);
        stack.pop();
      } else enter(next.value);
    }
  }
  return order;
}

/** The values that depend on `wrt` and that a gradient can pass through. `nodes` is in topological order. */
export function dependents(
  nodes: readonly Node[],
  wrt: Iterable<Value>,
  leaves: ReadonlySet<Value>,
): Set<Value> {
  const active = new Set(wrt);
  for (const node of nodes) {
    if (!reads(node, active)) continue;
    for (const output of node.outputs) {
      if (output && isDifferentiable(output) && !leaves.has(output)) active.add(output);
    }
  }
  return active;
}

/** How a node lies between the values asked for and the loss, for messages: `w → Conv "c1" → Foo "x" → … → loss`. */
export function describePath(
  node: Node,
  active: ReadonlySet<Value>,
  nodes: readonly Node[],
  loss: Value,
): string {
  const before: string[] = [];
  let at: Node | null = node;
  while (at) {
    const from: Value | undefined = [...readsOf(at)].find(value => active.has(value));
    if (!from) break;
    at = from.producer && reads(from.producer, active) ? from.producer : null;
    before.unshift(at ? label(at) : from.name);
  }
  const after: string[] = [];
  const known = new Set(nodes);
  for (let next: Node | undefined = node; next; ) {
    const outputs: Value[] = next.outputs.flatMap(o => (o && active.has(o) ? [o] : []));
    if (outputs.includes(loss)) break;
    next = outputs.flatMap(o => o.consumers).find(n => known.has(n));
    if (next) after.push(label(next));
  }
  return [...shorten(before), label(node), ...shorten(after), loss.name].join(' → ');
}

const label = (node: Node): string => `${node.opType} "${node.label}"`;

const shorten = (steps: string[]): string[] =>
  steps.length <= 4 ? steps : [...steps.slice(0, 2), '…', ...steps.slice(-1)];
