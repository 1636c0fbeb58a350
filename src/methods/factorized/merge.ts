import type { Model } from '../../graph/model.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import {
  cloneNetwork,
  convolve,
  exportForInference,
  type FactorizedLayer,
  Network,
  project,
  Scope,
} from '../../nn/index.js';
import { createSession, type SessionOptions } from '../../runtime/index.js';
import { collapseLayer } from './collapse.js';
import { layerCost, NetworkShapes } from './cost.js';
import type { DenseLayer } from './low-rank.js';
import { formFor, type Geometry } from './matricize.js';
import { denseWeight } from './product.js';

export interface MergeOptions {
  /** How many times slower an operation of the factors is than one of the dense layer; default 1. */
  readonly slowdown?: number;
  /** Sizes of symbolic dimensions, to count operations with; what is not named is 1. */
  readonly sizes?: Readonly<Record<string, number>>;
}

/**
 * Collapses the layers that gain nothing from their factors, in place: those whose factors together have at least as
 * many parameters as the dense layer, or need as many operations (where shapes are known), and all that are composed.
 * @returns the paths of the layers
 */
export function mergeFactors(network: Network, { slowdown = 1, sizes }: MergeOptions = {}): string[] {
  const shapes = new NetworkShapes(network, sizes);
  const merged = [...network.factorized.values()].filter(layer => {
    if (layer.composed) return true;
    const parameters = layer.factors.reduce((sum, name) => sum + sizeOf(network.parameter(name).dims), 0);
    const record = {
      ...layer.dense,
      path: layer.path,
      input: layer.input,
      output: layer.output,
    } as DenseLayer;
    const { dense } = layerCost(record, formFor(layer.dense, 'channel'), shapes);
    if (parameters >= dense.parameters) return true;
    const flops = factorFlops(network, layer, shapes);
    return flops !== undefined && dense.flops !== undefined && slowdown * flops >= dense.flops;
  });
  for (const { path } of merged) collapseLayer(network, path);
  return merged.map(({ path }) => path);
}

/** Operations of the layers that factors are; `undefined` where shapes are not known. */
function factorFlops(
  network: Network,
  { factors }: FactorizedLayer,
  shapes: NetworkShapes,
): number | undefined {
  let sum = 0;
  for (const name of factors) {
    const output = network.layers.get(name.replace(/\.weight$/, ''));
    const shape = output && output.kind !== 'attention' ? shapes.of(output.output) : undefined;
    if (!shape || !output || output.kind === 'attention') return undefined;
    const perOutput =
      sizeOf(output.weight.dims) / (output.kind === 'conv' ? output.outChannels : shape.at(-1)!);
    sum += 2 * sizeOf(shape) * perOutput;
  }
  return sum;
}

/**
 * A factorized network as a model to run anywhere, as `exportForInference`, with layers merged that are larger or
 * slower as factors. The network does not change.
 */
export function exportFactorized(network: Network, options: MergeOptions = {}): Model {
  const copy = cloneNetwork(network);
  mergeFactors(copy, options);
  return exportForInference(copy);
}

export interface MergeSlowerOptions extends MergeOptions {
  /** Session to measure with; give it the threads and provider that the model will run on. */
  readonly session?: SessionOptions;
  /** Milliseconds of one run; default the least of several in ONNX Runtime. */
  readonly time?: (model: Model, input: Tensor) => Promise<number>;
}

/**
 * As `mergeFactors`, but by measuring each layer's factors and its product: thin convolutions move as much memory as
 * wide ones, so that fewer operations may take longer. Equal layers are measured once.
 * @returns the paths of the layers that were collapsed
 * @throws WhittleError where ONNX Runtime cannot run a layer
 */
export async function mergeSlower(network: Network, options: MergeSlowerOptions = {}): Promise<string[]> {
  const { sizes, session = {} } = options;
  const time = options.time ?? ((model, input) => leastTime(model, input, session));
  const shapes = new NetworkShapes(network, sizes);
  const known = new Map<string, boolean>();
  const merged: string[] = [];
  for (const layer of [...network.factorized.values()]) {
    const shape = shapes.of(layer.input);
    if (!layer.composed && !shape) continue;
    const key = JSON.stringify([layer.dense, layer.factors.map(name => network.parameter(name).dims), shape]);
    if (!layer.composed && !known.has(key)) {
      const input = Tensor.float32(shape!, new Float32Array(sizeOf(shape!)).fill(0.5));
      const product = await time(denseModel(network, layer, shape!), input);
      known.set(key, (await time(factorModel(network, layer, shape!), input)) >= product);
    }
    if (!layer.composed && !known.get(key)) continue;
    collapseLayer(network, layer.path);
    merged.push(layer.path);
  }
  return merged;
}

async function leastTime(model: Model, x: Tensor, options: SessionOptions): Promise<number> {
  const session = await createSession(model, options);
  try {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i++) {
      const start = performance.now();
      await session.run({ x });
      // The first run allocates.
      if (i > 0) least = Math.min(least, performance.now() - start);
    }
    return least;
  } finally {
    await session.release();
  }
}

const denseModel = (network: Network, layer: FactorizedLayer, shape: readonly number[]): Model =>
  chain(shape, [{ geometry: layer.dense, weight: denseWeight(layer, name => network.tensor(name)) }]);

/** The layers that the factors are, first to last: the rightmost factor comes first. */
const factorModel = (network: Network, { factors }: FactorizedLayer, shape: readonly number[]): Model =>
  chain(
    shape,
    [...factors].reverse().map(name => ({
      geometry: network.layers.get(name.replace(/\.weight$/, '')) as DenseLayer,
      weight: network.tensor(name),
    })),
  );

function chain(shape: readonly number[], layers: readonly { geometry: Geometry; weight: Tensor }[]): Model {
  const network = new Network();
  let x: Value = network.input('x', 'float32', shape);
  layers.forEach(({ geometry, weight }, i) => {
    const scope = new Scope(network, String(i));
    const value = network.graph.constant(weight, `weight${i}`);
    x =
      geometry.kind === 'linear'
        ? project(scope, x, value, null, geometry.layout)
        : convolve(scope, x, value, null, geometry);
  });
  network.output('y', x);
  return exportForInference(network);
}
