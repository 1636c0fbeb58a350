import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import type { Value } from '../../src/graph/value.js';
import { normal } from '../../src/nn/initializers.js';
import { bert } from '../../src/nn/models/bert.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import { gpt2 } from '../../src/nn/models/gpt2.js';
import { mlp } from '../../src/nn/models/mlp.js';
import { phi } from '../../src/nn/models/phi.js';
import { vit } from '../../src/nn/models/vit.js';
import type { Network } from '../../src/nn/network.js';
import { type ReplaceableLayer, replaceLayer } from '../../src/nn/replace-layer.js';
import type { Scope } from '../../src/nn/scope.js';
import { expectClose } from './close.js';
import { fill, idTensor, imageTensor } from './golden/fill.js';
import { run } from './run.js';

const matrix = (rows: number, columns: number, data: ArrayLike<number>) => (i: number, j: number) => {
  expect(data.length).toBe(rows * columns);
  return data[i * columns + j]!;
};

/** What a layer computes, from its record alone. */
function again(scope: Scope, layer: ReplaceableLayer): Value {
  const { input, weight, bias } = layer;
  const inputs = bias ? [weight.value, bias.value] : [weight.value];
  if (layer.kind === 'embedding') return scope.op('Gather', [weight.value, input]);
  if (layer.kind === 'conv') {
    const { kernelSize, stride, padding, dilation, groups } = layer;
    return scope.op('Conv', [input, ...inputs], {
      kernel_shape: kernelSize,
      strides: stride,
      pads: [...padding, ...padding],
      dilations: dilation,
      group: groups,
    });
  }
  const right = layer.layout === 'out-in' ? scope.transpose(weight.value, 1, 0) : weight.value;
  const product = scope.op('MatMul', [input, right]);
  return bias ? scope.op('Add', [product, bias.value]) : product;
}

const pixel_values = imageTensor([2, 3, 16, 16]);
const text = {
  input_ids: idTensor('input_ids', [2, 5], 19),
  attention_mask: idTensor('attention_mask', [2, 5], 2),
  token_type_ids: idTensor('token_type_ids', [2, 5], 2),
};
const { input_ids } = text;
const sizes = { vocabulary: 19, features: 20, depth: 2, heads: 2, maxTokens: 6 };

const NETWORKS: readonly (readonly [string, Record<string, Tensor>, () => Network])[] = [
  ['ResNet', { pixel_values }, () => cifarResNet({ depth: 8, imageSize: 16, shortcut: 'conv' })],
  ['ViT', { pixel_values }, () => vit({ imageSize: 16, patchSize: 8, features: 12, heads: 3, depth: 2 })],
  ['BERT', text, () => bert({ ...sizes, head: 'mlm' })],
  ['GPT-2', { input_ids }, () => gpt2(sizes)],
  ['Phi', { input_ids }, () => phi(sizes)],
];

describe('every layer of a network', () => {
  it.each(NETWORKS)('can be rebuilt from its record: %s', async (_name, feeds, build) => {
    const network = fill(build());
    const { logits } = await run(network.toModel(), feeds);
    const parameters = [...network.parameters.keys()];
    for (const [path, { kind }] of [...network.layers]) {
      if (kind !== 'attention') replaceLayer(network, path, again);
    }
    expect([...network.parameters.keys()]).toEqual(parameters);
    expectClose((await run(network.toModel(), feeds)).logits, logits!, 1e-6);
  });

  it.each(NETWORKS.slice(1))('attentions name their projections: %s', (_name, _feeds, build) => {
    const { layers } = build();
    const attentions = [...layers.values()].filter(layer => layer.kind === 'attention');
    expect(attentions).toHaveLength(2);
    for (const { heads, headDim, projections, outputProjection } of attentions) {
      for (const path of Object.values(projections)) {
        const outFeatures = heads * headDim * ('fused' in projections ? 3 : 1);
        expect(layers.get(path)).toMatchObject({ kind: 'linear', outFeatures });
      }
      expect(layers.get(outputProjection)).toMatchObject({ kind: 'linear', inFeatures: heads * headDim });
    }
  });
});

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
