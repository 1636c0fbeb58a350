import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import { mlp } from '../../src/nn/models/mlp.js';
import { run } from './run.js';

const ramp = (dims: readonly number[], size: number): Tensor =>
  Tensor.float32(
    dims,
    Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
  );

describe('a CIFAR ResNet', () => {
  it('has the published number of parameters', () => {
    const counts = [20, 32, 44, 56, 110].map(depth => cifarResNet({ depth }).parameterCount());
    expect(counts).toEqual([269_722, 464_154, 658_586, 853_018, 1_727_962]);
  });

  it('refuses depths that do not exist', () => {
    expect(() => cifarResNet({ depth: 21 })).toThrow(/6n \+ 2/);
  });

  it.each(['pad', 'conv'] as const)('runs in both forms with shortcut %s', async shortcut => {
    const x = ramp([2, 1, 12, 12], 288);
    for (const training of [false, true]) {
      const network = cifarResNet({ depth: 8, channels: 1, imageSize: 12, width: 0.5, shortcut, training });
      const { logits } = await run(network.toModel(), { pixel_values: x });
      expect(logits!.dims).toEqual([2, 10]);
      expect(logits!.toFloat32().every(Number.isFinite)).toBe(true);
      expect(network.updates.size).toBe(training ? 2 * (shortcut === 'pad' ? 7 : 9) : 0);
    }
  });
});

describe('an MLP', () => {
  it('is named and counted as a torch.nn.Sequential', () => {
    const network = mlp({ widths: [784, 1024, 1024, 10] });
    expect([...network.parameters.keys()]).toEqual([
      '0.weight',
      '0.bias',
      '2.weight',
      '2.bias',
      '4.weight',
      '4.bias',
    ]);
    expect(network.parameterCount()).toBe(784 * 1024 + 1024 * 1024 + 1024 * 10 + 2 * 1024 + 10);
  });

  it('flattens images', async () => {
    const network = mlp({ widths: [16, 8, 3], inputShape: [1, 4, 4], activation: 'gelu' });
    const { logits } = await run(network.toModel(), { input: ramp([5, 1, 4, 4], 80) });
    expect(logits!.dims).toEqual([5, 3]);
  });
});
