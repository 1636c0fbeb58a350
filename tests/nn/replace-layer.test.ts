import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { normal } from '../../src/nn/initializers.js';
import { mlp } from '../../src/nn/models/mlp.js';
import { replaceLayer } from '../../src/nn/replace-layer.js';
import { run } from './run.js';

const matrix = (rows: number, columns: number, data: ArrayLike<number>) => (i: number, j: number) => {
  expect(data.length).toBe(rows * columns);
  return data[i * columns + j]!;
};

describe('replaceLayer', () => {
  it('puts two factors in the place of a weight', async () => {
    const network = mlp({ widths: [3, 4, 2] });
    const before = network.parameterCount();
    replaceLayer(network, '2', (scope, layer) => {
      const v = scope.parameter('v', [1, 4], { kind: 'weight', initializer: normal() });
      const u = scope.parameter('u', [2, 1], { kind: 'weight', initializer: normal() });
      const narrow = scope.op('Gemm', [layer.input, v], { transB: 1 });
      return scope.op('Gemm', [narrow, u, layer.bias!.value], { transB: 1 });
    });
    expect([...network.parameters.keys()]).toEqual(['0.weight', '0.bias', '2.bias', '2.v', '2.u']);
    expect(network.parameterCount()).toBe(before - 8 + 6);
    expect(network.outputs.map(o => o.name)).toEqual(['logits']);

    const x = [0.5, -1, 2];
    const { logits } = await run(network.toModel(), { input: Tensor.float32([1, 3], x) });
    const data = (name: string) => network.tensor(name).toFloat32();
    const [w, u, v] = [matrix(4, 3, data('0.weight')), data('2.u'), data('2.v')];
    const hidden = [0, 1, 2, 3].map(i =>
      Math.max(
        0,
        x.reduce((sum, value, j) => sum + w(i, j) * value, data('0.bias')[i]!),
      ),
    );
    const narrow = hidden.reduce((sum, h, j) => sum + v[j]! * h, 0);
    for (const i of [0, 1])
      expect(logits!.toFloat32()[i]).toBeCloseTo(u[i]! * narrow + data('2.bias')[i]!, 5);
  });

  it('replaces neighbours one after the other, in any order', async () => {
    for (const order of [
      ['0', '2', '4'],
      ['4', '2', '0'],
    ]) {
      const network = mlp({ widths: [3, 3, 3, 3] });
      for (const path of order) replaceLayer(network, path, (_scope, { input }) => input);
      const { logits } = await run(network.toModel(), { input: Tensor.float32([1, 3], [-1, 0, 2]) });
      expect([...logits!.toFloat32()]).toEqual([0, 0, 2]);
      expect(network.parameters.size).toBe(0);
    }
  });

  it('names the layers that there are', () => {
    expect(() => replaceLayer(mlp({ widths: [3, 2, 1] }), 'fc', (_, { input }) => input)).toThrow(
      /It has 0, 2/,
    );
  });
});
