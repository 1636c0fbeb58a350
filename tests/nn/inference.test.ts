import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { exportForInference } from '../../src/nn/export.js';
import { toInference } from '../../src/nn/inference.js';
import { linear } from '../../src/nn/layers/linear.js';
import { batchNorm } from '../../src/nn/layers/normalization.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import type { Network } from '../../src/nn/network.js';
import { Random } from '../../src/random/random.js';
import { layerNetwork, run } from './run.js';

/** Gives every parameter other values, so that no scale is one and no mean zero. */
function perturb(network: Network): void {
  for (const { name, dims } of network.parameters.values()) {
    const random = new Random(7, name);
    const data = network.tensor(name).toFloat32();
    network.setTensor(
      name,
      Tensor.float32(
        dims,
        data.map(x => Math.abs(x + 0.3 * random.normal())),
      ),
    );
  }
}

const input = (dims: readonly number[]): Tensor => {
  const random = new Random(1);
  const size = dims.reduce((product, dim) => product * dim, 1);
  return Tensor.float32(
    dims,
    Float32Array.from({ length: size }, () => random.normal()),
  );
};

function expectClose(actual: Tensor, expected: Tensor, tolerance: number): void {
  expect(actual.dims).toEqual(expected.dims);
  const [a, b] = [actual.toFloat32(), expected.toFloat32()];
  const scale = Math.max(...b.map(Math.abs), 1e-30);
  const error = Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
  expect(error / scale).toBeLessThan(tolerance);
}

describe('exportForInference', () => {
  it('folds every BatchNorm of a trained ResNet without changing what it computes', async () => {
    const options = { depth: 8, channels: 1, imageSize: 8, width: 0.5 };
    const trained = cifarResNet({ ...options, training: true });
    perturb(trained);
    const reference = cifarResNet(options);
    for (const name of reference.parameters.keys()) reference.setTensor(name, trained.tensor(name));
    const model = exportForInference(trained);
    expect([...model.graph.nodes].filter(n => n.opType === 'BatchNormalization')).toHaveLength(0);
    expect([...model.graph.initializers].map(v => v.name)).toContain('layer1.0.conv1.bias');
    for (const batch of [1, 3]) {
      const pixel_values = input([batch, 1, 8, 8]);
      const folded = await run(model, { pixel_values });
      const plain = await run(reference.toModel(), { pixel_values });
      expectClose(folded.logits!, plain.logits!, 1e-5);
    }
  });

  it('leaves the network as it was', async () => {
    const network = cifarResNet({ depth: 8, imageSize: 8, width: 0.25, training: true });
    const nodes = [...network.graph.nodes].map(n => n.name);
    const weight = network.tensor('conv1.weight');
    exportForInference(network);
    expect([...network.graph.nodes].map(n => n.name)).toEqual(nodes);
    expect(network.tensor('conv1.weight')).toBe(weight);
    expect(network.training).toBe(true);
  });

  it('folds BatchNorm into a Gemm, and transposes weights of linear layers', async () => {
    const vector = layerNetwork([6], (scope, x) =>
      batchNorm(scope.at('bn'), linear(scope.at('fc'), x, { inFeatures: 6, outFeatures: 4 }), {
        features: 4,
      }),
    );
    const sequence = layerNetwork([5, 6], (scope, x) =>
      linear(scope.at('fc'), x, { inFeatures: 6, outFeatures: 4 }),
    );
    for (const [network, dims, ops] of [
      [vector, [3, 6], ['Gemm']],
      [sequence, [3, 5, 6], ['MatMul', 'Add']],
    ] as const) {
      perturb(network);
      const model = exportForInference(network);
      expect([...model.graph.nodes].map(n => n.opType)).toEqual(ops);
      const x = input(dims);
      expectClose((await run(model, { x })).y!, (await run(network.toModel(), { x })).y!, 1e-6);
    }
  });

  it('keeps a BatchNorm whose convolution is also used elsewhere', () => {
    const network = layerNetwork([6], (scope, x) => {
      const hidden = linear(scope.at('fc'), x, { inFeatures: 6, outFeatures: 6 });
      return scope.op('Add', [hidden, batchNorm(scope.at('bn'), hidden, { features: 6 })]);
    });
    const types = [...exportForInference(network).graph.nodes].map(n => n.opType);
    expect(types).toContain('BatchNormalization');
  });
});

describe('toInference', () => {
  it('keeps parameters, their tensors and the layers', () => {
    const network = cifarResNet({ depth: 8, training: true });
    const copy = toInference(network);
    expect([...copy.parameters.keys()]).toEqual([...network.parameters.keys()]);
    expect([...copy.layers.keys()]).toEqual([...network.layers.keys()]);
    expect(copy.updates.size).toBe(0);
    for (const { name, value } of copy.parameters.values()) {
      expect(copy.graph.initializers.has(value), name).toBe(true);
      expect(value).not.toBe(network.parameter(name).value);
      expect(copy.tensor(name)).toBe(network.tensor(name));
    }
  });
});
