import { Graph } from '../../graph/graph.js';
import { Model } from '../../graph/model.js';
import { Tensor } from '../../graph/tensor.js';
import { tensorType, type Value } from '../../graph/value.js';
import { createSession } from '../create.js';
import { BLOCKED_DOMAIN } from './operators.js';

/** Channels in a block: 16 in the 512 bits of AVX-512; 8 with AVX2, 4 with NEON where builds have these kernels. */
const BLOCKS = [16, 8, 4] as const;

let found: Promise<number | undefined> | undefined;

/**
 * How many channels the blocked operators of this machine's CPU provider take at a time; `undefined` where it has none
 * or they do not compute what they should. Tried with tiny graphs at the first call.
 */
export function probeBlockedLayout(): Promise<number | undefined> {
  found ??= probe();
  return found;
}

async function probe(): Promise<number | undefined> {
  for (const block of BLOCKS) if (await works(block)) return block;
  return undefined;
}

/** Whether images of that block come through a reorder, a convolution with sum and activation, and back. */
async function works(block: number): Promise<boolean> {
  const channels = 2 * block;
  const dims = [2, channels, 5, 4];
  const x = Float32Array.from({ length: 2 * channels * 20 }, (_, i) => ((i * 37) % 23) / 23 - 0.5);
  const filters = Float32Array.from(
    { length: channels * channels * 9 },
    (_, i) => ((i * 31) % 19) / 19 - 0.5,
  );
  try {
    const [expected, actual] = await Promise.all([
      run(standardGraph(channels), x, filters, dims),
      run(blockedGraph(channels, block), x, filters, dims),
    ]);
    return expected.every((value, i) => Math.abs(value - actual[i]!) < 1e-4 * (1 + Math.abs(value)));
  } catch {
    // Operators that the build does not have, or that refuse the block.
    return false;
  }
}

async function run(
  model: Model,
  x: Float32Array,
  filters: Float32Array,
  dims: number[],
): Promise<Float32Array> {
  const session = await createSession(model, { provider: 'cpu', threads: 1 });
  try {
    const feeds = {
      x: Tensor.float32(dims, x),
      w: Tensor.float32([dims[1]!, dims[1]!, 3, 3], filters),
    };
    return (await session.run(feeds)).y!.toFloat32();
  } finally {
    await session.release();
  }
}

const WINDOW = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };

/** relu(x ∗ w + x) */
function standardGraph(channels: number): Model {
  return modelOf(channels, (graph, x, w) => {
    const y = graph.op('Conv', [x, w], WINDOW);
    return graph.op('Relu', [graph.op('Add', [y, x])]);
  });
}

function blockedGraph(channels: number, block: number): Model {
  return modelOf(channels, (graph, x, w) => {
    const options = { domain: BLOCKED_DOMAIN };
    const blocks = channels / block;
    const split = graph.op('Reshape', [w, graph.constant(Tensor.int64([blocks, block, blocks, block, 9]))]);
    const turned = graph.op('Transpose', [split], { perm: [0, 2, 4, 3, 1] });
    const filter = graph.op('Reshape', [turned, graph.constant(Tensor.int64([channels, channels, 3, 3]))]);
    const image = graph.op('ReorderInput', [x], {}, options);
    const inputs = [image, filter, null, image];
    const y = graph.op('Conv', inputs, { ...WINDOW, activation: 'Relu' }, options);
    return graph.op('ReorderOutput', [y], { channels }, options);
  });
}

function modelOf(channels: number, build: (graph: Graph, x: Value, w: Value) => Value): Model {
  const graph = new Graph('probe');
  const x = graph.addInput('x', tensorType('float32', [2, channels, 5, 4]));
  const w = graph.addInput('w', tensorType('float32', [channels, channels, 3, 3]));
  const y = build(graph, x, w);
  y.type = tensorType('float32', [2, channels, 5, 4]);
  graph.addOutput(y, 'y');
  const model = new Model(graph);
  model.opsets.set(BLOCKED_DOMAIN, 1);
  return model;
}
