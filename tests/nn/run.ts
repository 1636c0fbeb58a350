import { Graph } from '../../src/graph/graph.js';
import type { Model } from '../../src/graph/model.js';
import type { Tensor } from '../../src/graph/tensor.js';
import type { Value } from '../../src/graph/value.js';
import { Network, type NetworkOptions } from '../../src/nn/network.js';
import { Scope } from '../../src/nn/scope.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession, type Provider } from '../../src/runtime/index.js';

/** Runs a model once in ONNX Runtime. */
export async function run(
  model: Model,
  feeds: Readonly<Record<string, Tensor>>,
  provider: Provider = 'cpu',
): Promise<Record<string, Tensor>> {
  const session = await createSession(encodeToBytes(model), { provider, threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** A network of one layer: input `x`, output `y`. */
export function layerNetwork(
  dims: readonly number[],
  build: (scope: Scope, x: Value) => Value,
  options: NetworkOptions = {},
): Network {
  const network = new Network(options, new Graph('layer'));
  const x = network.input('x', 'float32', ['batch', ...dims]);
  network.output('y', build(new Scope(network), x));
  return network;
}
