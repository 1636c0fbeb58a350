import ort from 'onnxruntime-node';
import { cloneModel } from '../../src/graph/clone.js';
import type { DType } from '../../src/graph/dtype.js';
import type { Graph } from '../../src/graph/graph.js';
import type { ShapeAnalysis } from '../../src/graph/infer/index.js';
import type { Model } from '../../src/graph/model.js';
import type { Evaluate } from '../../src/graph/rewrite/index.js';
import { Tensor } from '../../src/graph/tensor.js';
import { encodeToBytes } from '../../src/onnx/index.js';

export interface Observed {
  readonly dtype: string;
  readonly dims: readonly number[];
  /** Numbers of small integer tensors. */
  readonly data: ort.Tensor['data'];
}

/**
 * Runs a model in ONNX Runtime with every tensor of its outer graph as an output, and tells what each one was.
 * Optional outputs that a node leaves out have no entry.
 */
export async function observe(
  model: Model,
  feeds: Record<string, ort.Tensor>,
): Promise<Map<string, Observed>> {
  const probe = cloneModel(model);
  for (const node of probe.graph.nodes) {
    for (const value of node.outputs) {
      if (!value || probe.graph.isOutput(value)) continue;
      probe.graph.outputs.push(value);
    }
  }
  for (const output of probe.graph.outputs) {
    // Let the runtime say what it is.
    output.type = undefined;
  }
  const session = await ort.InferenceSession.create(encodeToBytes(probe), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
    graphOptimizationLevel: 'disabled',
  });
  try {
    const results = await session.run(feeds);
    const observed = new Map<string, Observed>();
    for (const [name, tensor] of Object.entries(results)) {
      observed.set(name, { dtype: tensor.type, dims: tensor.dims, data: tensor.data });
    }
    for (const [name, tensor] of Object.entries(feeds)) {
      observed.set(name, { dtype: tensor.type, dims: tensor.dims, data: tensor.data });
    }
    return observed;
  } finally {
    await session.release();
  }
}

/** The size that each name in the shapes of the inputs had in a run. */
export function symbolSizes(
  graph: Graph,
  analysis: ShapeAnalysis,
  observed: ReadonlyMap<string, Observed>,
): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const input of graph.inputs) {
    const type = analysis.typeOf(input);
    if (type?.kind !== 'tensor') continue;
    type.shape?.forEach((dim, axis) => {
      const size = observed.get(input.name)?.dims[axis];
      if (typeof dim === 'string' && size !== undefined) sizes.set(dim, size);
    });
  }
  return sizes;
}

/** Runs a model without inputs, as constant folding wants it. */
export const evaluate: Evaluate = async model => {
  const session = await ort.InferenceSession.create(encodeToBytes(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    const results = await session.run({});
    return new Map(
      Object.entries(results).map(([name, { type, dims, data }]) => [
        name,
        Tensor.from(type as DType, dims, data as Float32Array),
      ]),
    );
  } finally {
    await session.release();
  }
};
