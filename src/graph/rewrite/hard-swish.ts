import { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Value } from '../value.js';

/**
 * Writes Clip(x + 3, 0, 6) / 6 as HardSigmoid, also where it is part of a hard swish, x · Clip(x + 3, 0, 6) / 6: two
 * passes over the activations instead of four.
 * (Howard et al., "Searching for MobileNetV3", ICCV 2019.)
 * @returns how many were found
 */
export function fuseHardSigmoid(graph: Graph): number {
  let found = 0;
  for (const clip of [...graph.nodes]) {
    if (clip.opType !== 'Clip' || clip.domain !== '' || clip.graph !== graph || !isRelu6(clip)) continue;
    const add = clip.inputs[0]?.producer;
    const x = add && operand(add, 'Add', 3);
    const next = onlyConsumer(graph, clip);
    if (!add || !x || !next || onlyConsumer(graph, add) !== clip) continue;
    if (fuse(graph, [add, clip], next, x)) found++;
  }
  return found;
}

function fuse(graph: Graph, head: Node[], next: Node, x: Value): boolean {
  const attributes = { alpha: 1 / 6, beta: 0.5 };
  const clipped = head.at(-1)!.output;
  if (isSixth(next, clipped)) {
    replace(graph, [...head, next], graph.op('HardSigmoid', [x], attributes));
    return true;
  }
  const last = next.opType === 'Mul' && next.inputs.includes(x) ? onlyConsumer(graph, next) : undefined;
  if (!last || !isSixth(last, next.output)) return false;
  const gate = graph.op('HardSigmoid', [x], attributes);
  replace(graph, [...head, next, last], graph.op('Mul', [x, gate]));
  return true;
}

function replace(graph: Graph, chain: readonly Node[], value: Value): void {
  graph.replaceUses(chain.at(-1)!.output, value);
  for (const node of chain.toReversed()) graph.remove(node);
}

function onlyConsumer(graph: Graph, node: Node): Node | undefined {
  const { consumers } = node.output;
  if (graph.isOutput(node.output) || consumers.length !== 1) return undefined;
  return consumers[0]!.graph === graph && consumers[0]!.domain === '' ? consumers[0] : undefined;
}

const numberOf = (value: Value | null | undefined): number | undefined => {
  const constant = Graph.constantOf(value);
  return constant?.size === 1 ? constant.toNumbers()[0] : undefined;
};

/** The other operand of a node that adds (multiplies, …) a number. */
function operand(node: Node, opType: string, number: number): Value | undefined {
  if (node.opType !== opType || node.domain !== '') return undefined;
  const [a, b] = node.inputs;
  if (numberOf(b) === number) return a ?? undefined;
  return numberOf(a) === number ? (b ?? undefined) : undefined;
}

const isSixth = (node: Node, x: Value): boolean =>
  node.opType === 'Div'
    ? node.inputs[0] === x && numberOf(node.inputs[1]) === 6
    : operand(node, 'Mul', Math.fround(1 / 6)) === x;

/** Clip(…, 0, 6), its bounds as attributes before opset 11. */
function isRelu6(clip: Node): boolean {
  const min = clip.inputs.length > 1 ? numberOf(clip.inputs[1]) : clip.float('min');
  const max = clip.inputs.length > 2 ? numberOf(clip.inputs[2]) : clip.float('max');
  return min === 0 && max === 6;
}
