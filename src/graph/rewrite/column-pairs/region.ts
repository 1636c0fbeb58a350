import { sameDim } from '../../dims.js';
import type { Graph } from '../../graph.js';
import type { Node } from '../../node.js';
import type { Value } from '../../value.js';
import { type Convolution, readConvolution, widthOf } from './convolution.js';
import { type Pairing, pairAlong } from './geometry.js';

/** Operators that treat every number alike, and those that do so with two tensors of the same shape. */
const POINTWISE = new Set([
  ...['Relu', 'LeakyRelu', 'Elu', 'Clip', 'Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Softplus'],
  ...['Add', 'Mul'],
]);

/** The values of a graph whose columns can lie in pairs, and how they do. */
export interface Region {
  readonly pairings: ReadonlyMap<Value, 0 | 1>;
  readonly convolutions: ReadonlyMap<Node, Convolution>;
  /** How many convolutions read pairs and give pairs. */
  readonly inner: number;
}

/**
 * Finds values of few channels that only convolutions and pointwise operators make and read, and lays out their columns:
 * in pairs from the even columns on, or from the odd ones where that needs smaller kernels.
 * @param channels at most so many
 */
export function findRegion(graph: Graph, channels: number): Region {
  graph.sort();
  const convolutions = new Map(
    [...graph.nodes].flatMap(node => {
      const conv = readConvolution(node);
      return conv ? [[node, conv] as const] : [];
    }),
  );
  const values = new Set(
    [...graph.nodes]
      .filter(node => convolutions.has(node) || isPointwise(node))
      .map(({ output }) => output)
      .filter(value => isNarrow(value, channels) && !graph.isOutput(value)),
  );
  const evenly = (value: Value): Pairing => (values.has(value) ? 0 : undefined);
  const fits = (node: Node): boolean => {
    if (node.graph !== graph) return false;
    const conv = convolutions.get(node);
    if (conv) return pairAlong(conv.along, evenly(conv.x), evenly(node.output)) !== undefined;
    return isPointwise(node) && [...operandsOf(node), node.output].every(value => values.has(value));
  };
  for (let before = -1; before !== values.size; ) {
    before = values.size;
    for (const value of values) if (![value.producer!, ...value.consumers].every(fits)) values.delete(value);
  }
  const pairings = layOut(values, convolutions);
  const inner = [...convolutions.values()].filter(({ x, node }) => values.has(x) && values.has(node.output));
  return { pairings, convolutions, inner: inner.length };
}

const isPointwise = (node: Node): boolean =>
  node.domain === '' && POINTWISE.has(node.opType) && operandsOf(node).every(x => sameImage(x, node.output));

/** What a pointwise operator reads beside its settings (the bounds of Clip). */
export const operandsOf = (node: Node): Value[] =>
  node.inputs.slice(0, node.opType === 'Clip' ? 1 : 2).filter(input => input !== null);

const sameImage = (a: Value, b: Value): boolean =>
  a.shape?.length === 4 && [1, 2, 3].every(axis => sameDim(a.shape![axis]!, b.shape?.[axis] ?? null));

function isNarrow(value: Value, most: number): boolean {
  const channels = value.shape?.[1];
  return (widthOf(value) ?? 1) % 2 === 0 && typeof channels === 'number' && channels <= most;
}

/** Pairs begin at even columns, but between two convolutions at odd ones where both need fewer products so. */
function layOut(values: ReadonlySet<Value>, convolutions: ReadonlyMap<Node, Convolution>): Map<Value, 0 | 1> {
  const pairings = new Map<Value, 0 | 1>([...values].map(value => [value, 0]));
  for (const { node, x, height } of convolutions.values()) {
    const [relu, ...others] = node.output.consumers;
    // Columns beyond the image are set to zero by what a Relu leaves of very negative numbers.
    if (!pairings.has(node.output) || others.length > 0 || relu?.opType !== 'Relu') continue;
    const sameSize = height.stride === 1 && sameImageSize(x, node.output);
    if (!sameSize || pairings.get(x) !== 0) continue;
    const around = [node, ...relu.output.consumers].map(reader => convolutions.get(reader));
    const kernels = (shifted: Pairing): number => {
      let sum = 0;
      for (const conv of around) {
        if (!conv) return Number.POSITIVE_INFINITY;
        const [from, to] =
          conv.node === node ? [0 as const, shifted] : [shifted, pairings.get(conv.node.output)];
        sum += pairAlong(conv.along, from, to)?.kernel ?? Number.POSITIVE_INFINITY;
      }
      return sum;
    };
    if (kernels(1) >= kernels(0)) continue;
    pairings.set(node.output, 1);
    pairings.set(relu.output, 1);
  }
  return pairings;
}

const sameImageSize = (a: Value, b: Value): boolean =>
  [2, 3].every(axis => sameDim(a.shape?.[axis] ?? null, b.shape?.[axis] ?? null));
