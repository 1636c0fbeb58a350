import type { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';

export interface PatchSize {
  readonly groups: number;
  /** Channels of one group. */
  readonly channels: number;
  readonly kernel: readonly number[];
}

/** Past the end of any axis. */
const END = 2 ** 31 - 1;

/**
 * Adds nodes that lay out what each position of a convolution sees, as columns: (groups, channels · kernel, count),
 * the channels of the input from `x`, (batch, groups · channels, …).
 *
 * Each place of the kernel is a strided slice of the padded input; slices side by side are the patches. It costs a
 * copy, where a convolution with one-hot kernels would cost as much as the sum of the products itself.
 */
export function layOutPatches(graph: Graph, x: Value, node: Node, size: PatchSize, opset: number): Value {
  const { groups, channels, kernel } = size;
  const auto = node.string('auto_pad', 'NOTSET');
  // Pad and Slice take what they need as inputs since opset 11; before, and where ONNX Runtime itself shall find
  // out the padding, the way round by a convolution is good enough.
  const stacked =
    opset < 11 || auto.startsWith('SAME')
      ? oneHotConvolution(graph, x, node, size)
      : stackSlices(graph, auto === 'VALID' ? x : pad(graph, x, node), node, kernel);
  // (batch, groups · channels, kernel, positions) → (groups · channels, kernel, batch, positions)
  const byChannel = graph.op('Transpose', [stacked], { perm: [1, 2, 0, 3] });
  return graph.op('Reshape', [byChannel, ints(graph, [groups, channels * sizeOf(kernel), -1])]);
}

function pad(graph: Graph, x: Value, node: Node): Value {
  const pads = node.ints('pads');
  if (!pads?.some(p => p !== 0)) return x;
  const half = pads.length / 2;
  const all = [0, 0, ...pads.slice(0, half), 0, 0, ...pads.slice(half)];
  return graph.op('Pad', [x, ints(graph, all)]);
}

/** (batch, channels, kernel, positions) */
function stackSlices(graph: Graph, x: Value, node: Node, kernel: readonly number[]): Value {
  const spatial = kernel.map((_, axis) => axis);
  const strides = node.ints('strides') ?? spatial.map(() => 1);
  const dilations = node.ints('dilations') ?? spatial.map(() => 1);
  const slices: Value[] = [];
  for (let place = 0; place < sizeOf(kernel); place++) {
    const at = spatial.map(axis => Math.floor(place / sizeOf(kernel.slice(axis + 1))) % kernel[axis]!);
    const starts = at.map((i, axis) => i * dilations[axis]!);
    const ends = at.map((i, axis) => -dilations[axis]! * (kernel[axis]! - 1 - i) || END);
    const axes = spatial.map(axis => axis + 2);
    const bounds = [starts, ends, axes, strides].map(values => ints(graph, values));
    const whole = sizeOf(kernel) === 1 && strides.every(s => s === 1);
    const slice = whole ? x : graph.op('Slice', [x, ...bounds]);
    slices.push(graph.op('Reshape', [slice, ints(graph, [0, 0, 1, -1])]));
  }
  return slices.length === 1 ? slices[0]! : graph.op('Concat', slices, { axis: 2 });
}

/** The same by a convolution whose kernels each pick one element of the patch. */
function oneHotConvolution(
  graph: Graph,
  x: Value,
  node: Node,
  { groups, channels, kernel }: PatchSize,
): Value {
  const width = channels * sizeOf(kernel);
  const data = new Float32Array(groups * width * width);
  for (let row = 0; row < groups * width; row++) data[row * width + (row % width)] = 1;
  const kernels = graph.constant(Tensor.float32([groups * width, channels, ...kernel], data), 'patches');
  const { kernel_shape: _, ...attributes } = Object.fromEntries(node.attributes);
  const patches = graph.op('Conv', [x, kernels], attributes);
  return graph.op('Reshape', [patches, ints(graph, [0, groups * channels, sizeOf(kernel), -1])]);
}

const ints = (graph: Graph, values: readonly number[]): Value => graph.constant(Tensor.int64(values), 'dims');
