import { describe, expect, it } from 'vitest';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { type DenseLayers, keptWeights, sparseLayers } from '../../../src/methods/sparse/layers.js';
import {
  cifarResNet,
  embedding,
  exportForInference,
  gpt2,
  kaimingUniform,
  linear,
  mlp,
  Network,
  relu,
  replaceLayer,
  Scope,
} from '../../../src/nn/index.js';
import { importedNetwork, trainable } from '../../../src/train/index.js';
import { tinyMlp, tinyVit } from './tiny.js';

const tinyGpt = (): Network =>
  gpt2({ vocabulary: 11, features: 8, depth: 2, heads: 2, maxTokens: 5, training: true });

const built: Record<string, () => Network> = {
  mlp: tinyMlp,
  'resnet8 with shortcuts of convolutions': () => cifarResNet({ depth: 8, training: true, shortcut: 'conv' }),
  resnet20: () => cifarResNet({ depth: 20, training: true }),
  vit: tinyVit,
};

/** The network as it comes back from a file, its constants in an order that says nothing. */
function imported(network: Network): Network {
  const model = exportForInference(network);
  const { initializers } = model.graph;
  const shuffled = [...initializers].sort((a, b) => (a.name < b.name ? 1 : -1));
  initializers.clear();
  for (const value of shuffled) initializers.add(value);
  return importedNetwork(trainable(model));
}

const names = (network: Network, dense: DenseLayers): string[] =>
  sparseLayers(network, { dense }).map(({ name }) => name);

/** Parameters of weights in the order of building. */
const weightsOf = (network: Network): string[] =>
  [...network.parameters.values()]
    .filter(({ kind, dims }) => kind === 'weight' && dims.length >= 2)
    .map(({ name }) => name);

/** The network as methods leave it to those after them. */
async function prepared(network: Network, ...methods: string[]): Promise<Network> {
  for (const method of await combine(methods.map(text => readMethod(text)))) method.prepare?.(network);
  return network;
}

describe.each(Object.entries(built))('%s', (_, build) => {
  it('has all weights masked in the order of building, but for the ends', () => {
    const network = build();
    const all = weightsOf(network);
    expect(names(network, 'none')).toEqual(all);
    expect(names(network, 'first')).toEqual(all.slice(1));
    expect(names(network, 'last')).toEqual(all.slice(0, -1));
    expect(names(network, 'ends')).toEqual(all.slice(1, -1));
  });

  it('has the same weights masked when it comes from a file', () => {
    const network = build();
    for (const dense of ['none', 'first', 'last', 'ends'] as const)
      expect(names(imported(network), dense).sort()).toEqual(names(network, dense).sort());
  });
});

it('a class token and positions of an imported network get no mask', () => {
  const network = imported(tinyVit());
  const { kind } = network.parameter('cls_token');
  expect(kind).toBe('weight');
  expect(names(network, 'none')).not.toContain('cls_token');
});

it('an embedding is the first layer, and where the classifier shares its table both stay dense', () => {
  const network = tinyGpt();
  expect(names(network, 'ends')).toEqual(weightsOf(network));
  expect(names(network, 'none')).toEqual(weightsOf(network));
  const fromFile = imported(network);
  expect(fromFile.parameter('transformer.wte.weight').kind).toBe('embedding');
  expect(names(fromFile, 'ends').sort()).toEqual(weightsOf(network).sort());
});

it('the factors of the first layer and of the classifier stay dense together', async () => {
  const network = mlp({ widths: [36, 24, 24, 20, 4], inputShape: [1, 6, 6], training: true });
  await prepared(network, 'low-rank:rule=rank,amount=2');
  expect(weightsOf(network).filter(name => name.startsWith('0.'))).toHaveLength(2);
  expect(names(network, 'ends').map(name => name[0])).toEqual(['2', '2', '4', '4']);
  expect(names(network, 'first').map(name => name[0])).toEqual(['2', '2', '4', '4', '6']);

  const classifier = tinyMlp();
  replaceLayer(classifier, '4', (scope, layer) =>
    linear(
      scope.at('u'),
      linear(scope.at('v'), layer.input, { inFeatures: 10, outFeatures: 1, bias: false }),
      { inFeatures: 1, outFeatures: 2 },
    ),
  );
  expect(names(classifier, 'last')).toEqual(['0.weight', '2.weight']);
});

it('a layer that was replaced by one with a bias is followed by another layer', () => {
  const network = tinyMlp();
  replaceLayer(network, '2', (scope, { input }) =>
    linear(scope.at('b'), linear(scope.at('a'), input, { inFeatures: 12, outFeatures: 6 }), {
      inFeatures: 6,
      outFeatures: 10,
    }),
  );
  expect(names(network, 'none')).toEqual(['0.weight', '2.a.weight', '2.b.weight', '4.weight']);
  expect(names(network, 'ends')).toEqual(['2.a.weight', '2.b.weight']);
});

it('weights of recurrent layers get masks, and those that are multiplied with each other first', () => {
  const network = new Network({ training: true });
  const scope = new Scope(network);
  const weight = (name: string, ...dims: number[]) =>
    scope.parameter(name, dims, { kind: 'weight', initializer: kaimingUniform() });
  const tokens = network.input('input_ids', 'int64', [4, 2]);
  const x = embedding(scope.at('embed'), tokens, { count: 7, features: 6 });
  const states = scope.op('LSTM', [x, weight('w', 1, 20, 6), weight('r', 1, 20, 5)], { hidden_size: 5 });
  const product = scope.op('MatMul', [weight('u', 5, 2), weight('v', 2, 5)]);
  const hidden = relu(scope, scope.op('MatMul', [states, product]));
  network.output('logits', linear(scope.at('fc'), hidden, { inFeatures: 5, outFeatures: 7 }));
  expect(names(network, 'none')).toEqual(['w', 'r', 'u', 'v', 'fc.weight']);
  expect(names(network, 'ends')).toEqual(['w', 'r', 'u', 'v']);
});

it('where a pooling comes after the last layer, that is the one that no other follows', () => {
  const network = new Network({ training: true });
  const scope = new Scope(network);
  let x = network.input('input', 'float32', ['batch', 6]);
  for (const path of ['a', 'b', 'c'])
    x = relu(scope, linear(scope.at(path), x, { inFeatures: 6, outFeatures: 6 }));
  network.output('scores', x);
  expect(names(network, 'ends')).toEqual(['b.weight']);
});

it('a density of the whole network leaves peers aside', async () => {
  const alone = tinyMlp();
  const network = await prepared(tinyMlp(), 'mutual');
  expect(network.parameterCount()).toBe(2 * alone.parameterCount());
  const half = { density: 0.5, counted: 'network' } as const;
  for (const dense of ['none', 'last'] as const) {
    expect(names(network, dense)).toEqual(names(alone, dense));
    expect(keptWeights(network, sparseLayers(network, { dense }), half)).toBe(
      keptWeights(alone, sparseLayers(alone, { dense }), half),
    );
  }
});
