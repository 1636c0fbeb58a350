import { observe } from '../../../src/calibrate/observe.js';
import { findSites, type Site } from '../../../src/calibrate/sites.js';
import { Layer } from '../../../src/compress/layer.js';
import { fromMatrix } from '../../../src/compress/matrix.js';
import type { Candidate, Method } from '../../../src/compress/method.js';
import { writeChoices } from '../../../src/compress/write.js';
import { cloneModel } from '../../../src/graph/clone.js';
import { Graph, Model, Tensor, tensorType, type Value } from '../../../src/graph/index.js';
import { inferShapes } from '../../../src/graph/infer/index.js';
import { Random } from '../../../src/random/random.js';
import { createSession, type Provider, type Tensors } from '../../../src/runtime/index.js';

/** Normal numbers. */
export function numbers(random: Random, count: number, mean = 0): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal() + mean);
}

/** A model `x → y` built around constants, with two samples for it. */
export function modelOf(
  dims: readonly number[],
  build: (graph: Graph, x: Value, constant: (dims: readonly number[], mean?: number) => Value) => Value,
  { opset = 17, seed = 1 } = {},
): { model: Model; samples: Tensors[] } {
  const random = new Random(seed);
  const graph = new Graph('test');
  const x = graph.addInput('x', tensorType('float32', dims));
  const constant = (shape: readonly number[], mean = 0) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return graph.constant(Tensor.float32(shape, numbers(random, size, mean)), 'c');
  };
  graph.addOutput(build(graph, x, constant), 'y');
  const model = new Model(graph);
  model.opsets.set('', opset);
  model.irVersion = 8;
  inferShapes(model);
  const size = dims.reduce((a, b) => a * b, 1);
  const samples = Array.from({ length: 3 }, () => ({ x: Tensor.float32(dims, numbers(random, size, 0.2)) }));
  return { model, samples };
}

/** The layers of a model as calibration sees them. */
export async function layersOf(
  model: Model,
  samples: readonly Tensors[],
  sites: readonly Site[] = findSites(model),
): Promise<Layer[]> {
  const layers: Layer[] = [];
  for await (const group of observe(model, sites, samples, { threads: 1 })) {
    for (const [site, observation] of group) layers.push(new Layer(site, observation));
  }
  return layers;
}

/** All that methods propose for the layers of a model. */
export async function proposals(
  model: Model,
  samples: readonly Tensors[],
  methods: readonly Method[],
  sites?: readonly Site[],
) {
  const found: { layer: Layer; candidate: Candidate }[] = [];
  for (const layer of await layersOf(model, samples, sites)) {
    for (const method of methods) {
      for (const candidate of method.propose(layer)) found.push({ layer, candidate });
    }
  }
  return found;
}

export const write = (model: Model, choices: Iterable<readonly [Site, Candidate]>): Model =>
  writeChoices(
    model,
    new Map([...choices].map(([site, candidate]) => [site, { candidate, bytes: 0, error: 0 }])),
  );

/** The model with the weights themselves exchanged. */
export function withWeights(model: Model, weights: Iterable<readonly [Site, Float32Array]>): Model {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  for (const [{ value, tensor, layout }, weight] of weights) {
    const data = fromMatrix(weight, tensor.dims, layout);
    values.get(value)!.initializer = Tensor.fromNumbers(tensor.dtype, tensor.dims, data);
  }
  return copy;
}

export async function outputs(
  model: Model,
  samples: readonly Tensors[],
  provider: Provider = 'cpu',
): Promise<Float32Array[]> {
  const session = await createSession(model, { threads: 1, provider });
  try {
    const results: Float32Array[] = [];
    for (const sample of samples) results.push((await session.run(sample)).y!.toFloat32());
    return results;
  } finally {
    await session.release();
  }
}

/** ‖a − b‖ / ‖a‖ over all samples. */
export function relativeError(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let difference = 0;
  let size = 0;
  for (const [i, expected] of a.entries()) {
    if (b[i]!.length !== expected.length) return Number.NaN;
    for (const [j, value] of expected.entries()) {
      difference += (value - b[i]![j]!) ** 2;
      size += value ** 2;
    }
  }
  return Math.sqrt(difference / size);
}

export const opTypes = (model: Model): string[] => [...model.graph.nodes].map(({ opType }) => opType);
