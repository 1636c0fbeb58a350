import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import type { Value } from '../../src/graph/value.js';
import { exportForInference } from '../../src/nn/export.js';
import {
  bert,
  findAttentions,
  gpt2,
  linear,
  type Network,
  phi,
  recordLayers,
  type Scope,
  scaledDotProductAttention,
  vit,
  xTransformersVit,
} from '../../src/nn/index.js';
import { decodeModel, encodeToBytes } from '../../src/onnx/index.js';
import { importedNetwork, trainable } from '../../src/train/index.js';
import { layerNetwork } from './run.js';

const readBack = (network: Network): Network =>
  importedNetwork(trainable(decodeModel(encodeToBytes(exportForInference(network)))));

const attentions = (network: Network) =>
  [...network.layers.values()]
    .filter(layer => layer.kind === 'attention')
    .map(({ path: _, causal: __, ...rest }) => rest);

const sizes = { vocabulary: 19, features: 12, depth: 2, heads: 3, headDim: 2, maxTokens: 6 };
const small = { imageSize: 8, patchSize: 4, channels: 1, classes: 3, features: 12, heads: 3, depth: 2 };

describe('attentions of a file are those of the network that it was written from', () => {
  it.each<[string, () => Network]>([
    ['BERT', () => bert({ ...sizes, head: 'classification' })],
    ['GPT-2', () => gpt2(sizes)],
    ['Phi', () => phi({ ...sizes, headDim: 4, rotaryFraction: 0.5 })],
    ['ViT', () => vit({ ...small, headDim: 5 })],
    ["x-transformers' ViT", () => xTransformersVit({ ...small, headDim: 4 })],
  ])('%s', (_, build) => {
    const built = build();
    const imported = readBack(built);
    recordLayers(imported);
    expect(attentions(built)).toHaveLength(2);
    expect(attentions(imported)).toEqual(attentions(built));
    // Once more finds nothing new.
    recordLayers(imported);
    expect(attentions(imported)).toHaveLength(2);
  });
});

const [HEADS, SIZE] = [3, 2];
const INNER = HEADS * SIZE;

/** An attention between linear layers of which the tests say how query, key and value come to be. */
function attention(parts: (scope: Scope, x: Value) => [Value, Value, Value]): Network {
  const network = layerNetwork([4, 5], (scope, x) => {
    const [q, k, v] = parts(scope, x);
    const y = scaledDotProductAttention(scope, q, k, v, { headDim: SIZE });
    const merged = scope.reshape(scope.transpose(y, 0, 2, 1, 3), 0, 0, INNER);
    return linear(scope.at('out'), merged, { inFeatures: INNER, outFeatures: 5 });
  });
  return readBack(network);
}

const project = (scope: Scope, x: Value, name: string, outFeatures: number): Value =>
  linear(scope.at(name), x, { inFeatures: 5, outFeatures });

const toHeads = (scope: Scope, x: Value, heads = HEADS): Value =>
  scope.transpose(scope.reshape(x, 0, 0, heads, SIZE), 0, 2, 1, 3);

/** (batch, tokens, 3, heads, size), or another order of the last three; then one of three. */
function oneOfThree(scope: Scope, all: Value, dims: readonly number[], at: number): Value {
  const moved = scope.transpose(scope.reshape(all, 0, 0, ...dims), 0, 1, 2, 3, 4);
  return scope.op('Gather', [moved, scope.index(at)], { axis: 2 + dims.indexOf(3) });
}

describe('a fused projection', () => {
  const fused = (dims: readonly number[], order: readonly number[]) =>
    attention((scope, x) => {
      const all = project(scope, x, 'qkv', 3 * INNER);
      return order.map(at => scope.transpose(oneOfThree(scope, all, dims, at), 0, 2, 1, 3)) as [
        Value,
        Value,
        Value,
      ];
    });

  it('is one record where query, key and value lie side by side', () => {
    const network = fused([3, HEADS, SIZE], [0, 1, 2]);
    recordLayers(network);
    expect(attentions(network)).toEqual([
      {
        kind: 'attention',
        heads: HEADS,
        headDim: SIZE,
        projections: { fused: 'qkv' },
        outputProjection: 'out',
      },
    ]);
  });

  it('is found, but has no such record, in another order', () => {
    const network = fused([3, HEADS, SIZE], [1, 0, 2]);
    recordLayers(network);
    expect(attentions(network)).toEqual([]);
    expect(findAttentions(network)).toMatchObject([{ query: { path: 'qkv' }, output: { path: 'out' } }]);
  });
});

it('keys and values of fewer heads are found without a record', () => {
  const network = attention((scope, x) => {
    const shared = (name: string) => {
      const one = toHeads(scope, project(scope, x, name, SIZE), 1);
      return scope.op('Expand', [one, scope.int64(1, HEADS, 1, 1)]);
    };
    return [toHeads(scope, project(scope, x, 'q', INNER)), shared('k'), shared('v')];
  });
  recordLayers(network);
  expect(attentions(network)).toEqual([]);
  expect(findAttentions(network)).toMatchObject([
    { query: { path: 'q' }, key: { path: 'k' }, value: { path: 'v' }, output: { path: 'out' } },
  ]);
});

it('a softmax over classes is no attention', () => {
  const network = layerNetwork([5], (scope, x) => {
    const y = scope.op('Softmax', [linear(scope.at('a'), x, { inFeatures: 5, outFeatures: 5 })]);
    return linear(scope.at('b'), y, { inFeatures: 5, outFeatures: 5 });
  });
  recordLayers(network);
  expect(findAttentions(network)).toEqual([]);
});

it('a bias that is added to a product belongs to its layer; a sum of anything else does not', () => {
  const network = layerNetwork([4, 5], (scope, x) => {
    const y = linear(scope.at('a'), x, { inFeatures: 5, outFeatures: 5 });
    const shift = scope.constant('shift', () => Tensor.float32([4, 5], Array(20).fill(0.5)));
    return scope.op('Add', [linear(scope.at('b'), y, { inFeatures: 5, outFeatures: 5, bias: false }), shift]);
  });
  const read = readBack(network);
  recordLayers(read);
  expect([...read.layers.values()]).toMatchObject([
    { path: 'a', bias: { name: 'a.bias' }, output: { producer: { opType: 'Add' } } },
    { path: 'b', bias: undefined, output: { producer: { opType: 'MatMul' } } },
  ]);
});
