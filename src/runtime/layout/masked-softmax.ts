import { typedBuilder } from '../../graph/autodiff/index.js';
import type { Model } from '../../graph/model.js';
import { sizeOf } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';

/** e⁻⁴⁰ is 4·10⁻¹⁸: nothing beside the largest weight of a row in float32, and products with it are normal numbers. */
const DEPTH = 40;

/**
 * Lifts masked scores to 40 below the largest of their row, in place. ONNX Runtime's exponential gives denormal
 * numbers for what lies further below, and processors take twenty times as long with those.
 * @returns how many softmaxes now read lifted scores
 */
export function liftMaskedScores(model: Model): number {
  const found = [...model.graph.nodes].filter(
    node => node.opType === 'Softmax' && node.domain === '' && isMasked(node.inputs[0]!),
  );
  if (found.length === 0) return 0;
  const b = typedBuilder(model);
  b.scope = 'scores/';
  for (const node of found) {
    const scores = node.inputs[0]!;
    const axis = node.int('axis', -1);
    const largest =
      b.opset >= 18
        ? b.op('ReduceMax', [scores, b.ints([axis])])
        : b.op('ReduceMax', [scores], { axes: [axis] });
    node.setInput(0, b.op('Max', [scores, b.sub(largest, DEPTH)]));
  }
  model.graph.sort();
  return found.length;
}

/** Whether something smaller was added, to all heads and samples alike. */
function isMasked(scores: Value): boolean {
  const node = scores.producer;
  const shape = scores.dtype === 'float32' ? scores.fixedShape : undefined;
  if (!shape || node?.opType !== 'Add' || node.domain !== '') return false;
  return node.inputs.some(input => input?.fixedShape && sizeOf(input.fixedShape) < sizeOf(shape));
}
