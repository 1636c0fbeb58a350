import type { Model } from '../../../src/graph/model.js';
import type { Tensor } from '../../../src/graph/tensor.js';
import {
  activation,
  conv2d,
  exportForInference,
  linear,
  Network,
  Scope,
  toInference,
} from '../../../src/nn/index.js';
import { createSession } from '../../../src/runtime/index.js';
import {
  classification,
  exportTrained,
  MemoryLog,
  sgd,
  type TrainingMethod,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../../src/train/index.node.js';
import { images } from '../sparse/tiny.js';

/** conv → relu → conv → relu → pool → linear → relu → linear: each kind of layer inside, twice. */
export function tinyNet(kind: 'relu' | 'tanh' = 'relu'): Network {
  const network = new Network({ training: true, seed: 5 });
  const scope = new Scope(network);
  let x = network.input('input', 'float32', ['batch', 1, 6, 6]);
  x = activation(
    scope,
    conv2d(scope.at('first'), x, { inChannels: 1, outChannels: 4, kernelSize: 3, padding: 1 }),
    kind,
  );
  x = activation(
    scope,
    conv2d(scope.at('conv'), x, { inChannels: 4, outChannels: 6, kernelSize: 3, stride: 2 }),
    kind,
  );
  x = scope.op('Flatten', [x]);
  x = activation(scope, linear(scope.at('hidden'), x, { inFeatures: 24, outFeatures: 9 }), kind);
  network.output('logits', linear(scope.at('head'), x, { inFeatures: 9, outFeatures: 2 }));
  return network;
}

export const options = (methods: readonly TrainingMethod[], changes: Partial<TrainOptions> = {}) =>
  ({
    network: tinyNet(),
    data: { train: images(96, 1), test: images(32, 2) },
    objective: classification(),
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: 0.05,
    weightDecay: 1e-3,
    batchSize: 16,
    updates: 30,
    seed: 7,
    methods,
    session: { threads: 1 },
    ...changes,
  }) satisfies TrainOptions;

/** Trains the tiny network and returns the losses of the steps, too. */
export async function trainTiny(
  method: TrainingMethod,
  changes: Partial<TrainOptions> = {},
): Promise<TrainResult & { readonly losses: readonly number[] }> {
  const log = new MemoryLog();
  const result = await train(options([method], { logs: [log], ...changes }));
  const losses = log.records.filter(({ kind }) => kind === 'step').map(({ values }) => values.loss!);
  return { ...result, losses };
}

/** Outputs of the network as it trained, in inference form, and of its export, on the same images. */
export async function compareExport(
  network: Network,
  method: TrainingMethod,
): Promise<{
  trained: Float32Array;
  exported: Float32Array;
  /** With ONNX Runtime's kernels for integers. */
  integers: Float32Array;
  model: Model;
  plain: Model;
}> {
  const model = exportTrained(network, [method]);
  const batch = await images(20, 9).batch(Array.from({ length: 20 }, (_, i) => i));
  return {
    trained: await logits(toInference(network).toModel(), batch.input!),
    exported: await logits(model, batch.input!, 'none'),
    integers: await logits(model, batch.input!),
    model,
    plain: exportForInference(network),
  };
}

export async function logits(
  model: Model,
  input: Tensor,
  optimization: 'none' | 'all' = 'all',
): Promise<Float32Array> {
  const session = await createSession(model, { threads: 1, optimization });
  try {
    return (await session.run({ input })).logits!.toFloat32();
  } finally {
    await session.release();
  }
}
