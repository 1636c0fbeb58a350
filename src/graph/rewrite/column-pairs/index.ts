import type { Model } from '../../model.js';
import type { Value } from '../../value.js';
import { removeDead } from '../dead.js';
import { findRegion, operandsOf } from './region.js';
import { PairWriter } from './write.js';

/** Twice as many channels fill a vector register of 16 numbers. */
const CHANNELS = 8;

/** Opset in which the bounds of Clip became inputs; all else that is written here is older. */
const LEAST_OPSET = 11;

/**
 * Writes the convolutions of few channels for two columns at a time, which become channels: 8 channels on 28 × 28 pixels as
 * 16 on 28 × 14. Runtimes compute blocks of 8 or 16 channels, which few channels leave half empty. Nothing changes but
 * rounding. A kernel of 3 columns gives 2 results out of 4 columns, which are two pairs where the pairs of the result begin one
 * column beside those of the input; so they begin at even and odd columns in turns.
 *
 * The filters are computed from those of the model by operators on constants. Shapes must be inferred; those of the new values
 * are not.
 * @returns how many convolutions read pairs and give pairs; where there are none, nothing is changed
 */
export function pairColumns(model: Model): number {
  const { graph } = model;
  if (model.opset < LEAST_OPSET) return 0;
  const { pairings, convolutions, inner } = findRegion(graph, CHANNELS);
  if (inner === 0) return 0;
  const writer = new PairWriter(graph);
  const paired = new Map<Value, Value>();
  for (const node of [...graph.nodes]) {
    const y = node.outputs[0];
    const conv = convolutions.get(node);
    if (!y || (!pairings.has(y) && !(conv && pairings.has(conv.x)))) continue;
    if (conv) {
      const [from, to] = [pairings.get(conv.x), pairings.get(y)];
      const written = writer.convolution(conv, paired.get(conv.x) ?? conv.x, from, to);
      if (to === undefined) graph.replaceUses(y, written);
      else paired.set(y, written);
      continue;
    }
    const operands = operandsOf(node).length;
    const inputs = node.inputs.map((input, i) => (i < operands ? paired.get(input!)! : input));
    paired.set(y, graph.op(node.opType, inputs, Object.fromEntries(node.attributes), { name: node.name }));
  }
  removeDead(graph);
  return inner;
}
