import { Graph } from '../../graph/graph.js';
import type { Node, NodeInput } from '../../graph/node.js';
import type { Builder } from '../../graph/ops/builder.js';
import { Tensor } from '../../graph/tensor.js';

/**
 * Writes shortcuts that take every s-th pixel and add channels of zeros (He et al., CVPR 2016, option A) as 1×1
 * convolutions whose filters are one-hot. They give the same numbers, and the blocked layout has fast forms of them and of
 * their gradients; ONNX Runtime's `Pad`, which spreads a slice's gradient, moves single numbers.
 * @param b types what it adds
 * @returns how many were rewritten
 */
export function convolveShortcuts(b: Builder, graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    const strides = node.opType === 'Slice' && node.domain === '' ? pixelStrides(node) : undefined;
    const channels = node.inputs[0]?.shape?.[1];
    if (!strides || typeof channels !== 'number') continue;
    const [reader, ...others] = node.output.consumers;
    const alone = others.length === 0 && !graph.isOutput(node.output);
    const added = alone && reader ? addedChannels(reader) : undefined;
    const [before, after] = added ?? [0, 0];
    const last = added ? reader! : node;
    const out = before + channels + after;
    const oneHot = new Float32Array(out * channels);
    for (let i = 0; i < channels; i++) oneHot[(before + i) * channels + i] = 1;
    const filter = b.constant(
      Tensor.float32([out, channels, 1, 1], oneHot),
      `one-hot float32 ${before}+${channels}+${after}`,
    );
    const result = b.op('Conv', [node.inputs[0]!, filter], { kernel_shape: [1, 1], strides });
    graph.replaceUses(last.output, result);
    graph.remove(last);
    if (added) graph.remove(node);
    count++;
  }
  return count;
}

/** Steps along height and width of a slice of float images that begins at the first pixel and leaves out no others. */
function pixelStrides(node: Node): [number, number] | undefined {
  const [x, ...lists] = node.inputs;
  const shape = x?.shape;
  if (x?.dtype !== 'float32' || shape?.length !== 4) return undefined;
  const [starts, ends, axes, steps] = lists.map(numbersOf);
  if (!starts || !ends || !axes || !steps || steps.every(step => step === 1)) return undefined;
  const strides: [number, number] = [1, 1];
  for (const [i, axis] of axes.entries()) {
    const at = axis < 0 ? axis + 4 : axis;
    const dim = shape[at];
    if (at < 2 || starts[i] !== 0 || typeof dim !== 'number' || ends[i]! < dim || steps[i]! < 1)
      return undefined;
    strides[at - 2] = steps[i]!;
  }
  return strides;
}

/** Channels of zeros that a node puts before and after. */
function addedChannels(node: Node): [before: number, after: number] | undefined {
  const pads = node.opType === 'Pad' && node.domain === '' ? numbersOf(node.inputs[1]) : undefined;
  const value = node.inputs[2] ? numbersOf(node.inputs[2])?.[0] : 0;
  if (pads?.length !== 8 || node.inputs[3] || value !== 0 || node.string('mode', 'constant') !== 'constant')
    return undefined;
  const [before, after] = [pads[1]!, pads[5]!];
  const others = pads.some((pad, i) => i !== 1 && i !== 5 && pad !== 0);
  return others || before < 0 || after < 0 ? undefined : [before, after];
}

const numbersOf = (value: NodeInput | undefined): number[] | undefined =>
  Graph.constantOf(value)?.toNumbers();
