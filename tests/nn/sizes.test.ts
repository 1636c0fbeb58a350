import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { Tensor } from '../../src/graph/tensor.js';
import type { Value } from '../../src/graph/value.js';
import {
  bert,
  cifarResNet,
  conv1d,
  conv2d,
  dropout,
  gpt2,
  groupNorm,
  linear,
  mlp,
  multiHeadAttention,
  type Network,
  phi,
  resNet,
  rotaryTable,
  type Scope,
  vgg,
  vit,
  vitTiny,
  xTransformersVit,
} from '../../src/nn/index.js';
import { basicBlock, bottleneck, convNorm } from '../../src/nn/layers/residual.js';
import { layerNetwork, run } from './run.js';

/** Sizes that small models have, and now and then one that no model can have. */
const size = (...good: number[]): fc.Arbitrary<number> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...good) },
    { weight: 1, arbitrary: fc.constantFrom(0, -2, 1.5, Number.NaN, Number.POSITIVE_INFINITY) },
  );

const rate = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0, 0.1, 0.9) },
  { weight: 1, arbitrary: fc.constantFrom(1, -0.5, Number.NaN) },
);

/** Any of the options may be left out, except those that must be given. */
const options = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, required: (keyof T)[] = []) =>
  fc.record(model, { requiredKeys: required });

const transformer = {
  features: size(6, 8, 12),
  depth: size(1, 2),
  heads: size(1, 2, 3, 5),
  headDim: size(2, 4, 5),
  hiddenFeatures: size(3, 8),
};
const text = { vocabulary: size(7, 30), ...transformer };
const image = { imageSize: size(8, 9, 12, 16), channels: size(1, 3), classes: size(1, 4) };
const patches = { patchSize: size(3, 4), ...image, ...transformer };
const forText: (keyof typeof text)[] = ['vocabulary', 'features', 'depth', 'heads'];
const forPatches: (keyof typeof patches)[] = ['imageSize', 'patchSize', 'features', 'depth', 'heads'];
const training = fc.boolean();

/** Every model with options to draw; each draw is small where the options are sound. */
const MODELS: Readonly<Record<string, fc.Arbitrary<() => Network>>> = {
  mlp: options(
    {
      widths: fc.array(size(1, 4, 12), { maxLength: 3 }),
      inputShape: fc.constantFrom([1, 2, 2], [12], [3, 4]),
      dropout: rate,
      training,
    },
    ['widths'],
  ).map(o => () => mlp(o)),
  cifarResNet: options(
    {
      depth: size(8, 14, 9),
      width: size(0.25, 0.1),
      ...image,
      shortcut: fc.constantFrom('pad', 'conv'),
      training,
    },
    ['depth', 'width'],
  ).map(o => () => cifarResNet(o)),
  resNet: options({ depth: size(18, 50, 20), width: size(1 / 32), ...image, training }, [
    'depth',
    'width',
    'imageSize',
  ]).map(o => () => resNet(o)),
  vgg: options(
    {
      depth: size(11, 16, 12),
      width: size(1 / 64),
      head: fc.constantFrom('imagenet', 'cifar'),
      batchNorm: fc.boolean(),
      imageSize: size(32, 40, 64, 96),
      channels: size(1, 3),
      classes: size(4),
      training,
    },
    ['depth', 'width', 'imageSize', 'head'],
  ).map(o => () => vgg(o)),
  vit: options(
    { ...patches, pool: fc.constantFrom('token', 'mean'), dropout: rate, training },
    forPatches,
  ).map(o => () => vit(o)),
  vitTiny: options({ ...patches, dropout: rate, training }, forPatches).map(o => () => vitTiny(o)),
  xTransformersVit: options({ ...patches, training }, forPatches).map(o => () => xTransformersVit(o)),
  bert: options(
    {
      ...text,
      maxTokens: size(3, 8),
      segments: size(1, 2),
      classes: size(2),
      head: fc.constantFrom('none', 'mlm', 'span', 'classification'),
      dropout: rate,
      training,
    },
    forText,
  ).map(o => () => bert(o)),
  gpt2: options({ ...text, maxTokens: size(3, 8), dropout: rate, training }, forText).map(o => () => gpt2(o)),
  phi: options(
    {
      ...text,
      features: size(8, 24),
      heads: size(1, 2, 3),
      headDim: size(4, 8, 5),
      rotaryFraction: size(0.5, 1, 0.4, 2),
      dropout: rate,
      training,
    },
    [...forText, 'rotaryFraction'],
  ).map(o => () => phi(o)),
};

const zeros = ({ name, dtype, shape }: Value): [string, Tensor] => {
  const sizes: Readonly<Record<string, number>> = { batch: 2, tokens: 3 };
  const dims = shape!.map(dim => (typeof dim === 'number' ? dim : sizes[dim!]!));
  return [name, Tensor.fromNumbers(dtype!, dims, Array<number>(dims.reduce((a, b) => a * b, 1)).fill(0))];
};

/** Builds a model, and runs it where that succeeds. @returns whether it did */
async function builds(build: () => Network): Promise<boolean> {
  let network: Network;
  try {
    network = build();
  } catch (error) {
    expect(error, String(error)).toBeInstanceOf(WhittleError);
    return false;
  }
  const outputs = await run(network.toModel(), Object.fromEntries(network.inputs.map(zeros)));
  for (const { name } of network.outputs) {
    expect(outputs[name]!.size).toBeGreaterThan(0);
    expect(outputs[name]!.toFloat32().every(Number.isFinite)).toBe(true);
  }
  return true;
}

describe('a model of any sizes either runs or is refused', () => {
  it.each(Object.keys(MODELS))('%s', async name => {
    const built = { yes: 0, no: 0 };
    await fc.assert(
      fc.asyncProperty(MODELS[name]!, async build => {
        built[(await builds(build)) ? 'yes' : 'no']++;
      }),
      { numRuns: 30 },
    );
    // The draws say something of both.
    expect(built.yes).toBeGreaterThan(0);
    expect(built.no).toBeGreaterThan(0);
  });
});

/** What building a layer on x of the given shape, without the batch, says. */
const layer = (dims: number[], build: (scope: Scope, x: Value) => Value) => () => {
  layerNetwork(dims, (scope, x) => build(scope.at('place'), x), { training: true });
};

const image3 = [3, 8, 8];

describe('sizes that do not fit are named, with the way out', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['bert', () => bert({ features: 32, heads: 5 }), /5 heads do not divide 32 features.*headDim/],
    ['gpt2', () => gpt2({ features: 32, heads: 5 }), /5 heads do not divide 32 features.*headDim/],
    ['phi', () => phi({ features: 32, heads: 5 }), /5 heads do not divide 32 features.*headDim/],
    ['vit', () => vit({ features: 32, heads: 5 }), /5 heads do not divide 32 features.*headDim/],
    ['gpt2 of no blocks', () => gpt2({ depth: 0 }), /depth is 0, which is no size.*at least 1/],
    ['resNet', () => resNet({ depth: 18, width: -1 }), /widths cannot be multiplied by -1/],
    ['mlp', () => mlp({ widths: [4, 2.5] }), /shape \[2\.5, 4\].*0\.weight/],
    [
      'attention',
      layer([4, 32], (s, x) => multiHeadAttention(s, x, { features: 32, heads: 5 })),
      /5 heads do not divide 32 features.*place.*headDim/,
    ],
    [
      'attention of another width',
      layer([4, 30], (s, x) => multiHeadAttention(s, x, { features: 32, heads: 4 })),
      /takes 32 features and gets 30.*place\.q_proj/,
    ],
    [
      'channels before',
      layer(image3, (s, x) => conv2d(s, x, { inChannels: 3, outChannels: 4, kernelSize: 3, groups: 2 })),
      /2 groups do not divide the 3 channels of inChannels.*place/,
    ],
    [
      'channels after',
      layer(image3, (s, x) => conv2d(s, x, { inChannels: 3, outChannels: 4, kernelSize: 3, groups: 3 })),
      /3 groups do not divide the 4 channels of outChannels.*place/,
    ],
    [
      'channels given',
      layer([2, 9], (s, x) => conv1d(s, x, { inChannels: 3, outChannels: 4, kernelSize: 3 })),
      /takes 3 channels and gets 2.*inChannels 2/,
    ],
    [
      'positions',
      layer(image3, (s, x) =>
        conv2d(s, x, { inChannels: 3, outChannels: 4, kernelSize: 5, dilation: 2, padding: [1, 0] }),
      ),
      /over 9 positions does not fit into 8.*padding/,
    ],
    [
      'half a kernel',
      layer(image3, (s, x) => conv2d(s, x, { inChannels: 3, outChannels: 4, kernelSize: 2.5 })),
      /kernelSize is 2\.5/,
    ],
    [
      'half a padding',
      layer(image3, (s, x) => conv2d(s, x, { inChannels: 3, outChannels: 4, kernelSize: 2, padding: 0.5 })),
      /padding is 0\.5/,
    ],
    [
      'an even kernel',
      layer(image3, (s, x) =>
        convNorm(s, x, ['conv', 'bn'], { inChannels: 3, outChannels: 4, kernelSize: 2 }),
      ),
      /kernel of 2 has no middle.*place\.conv/,
    ],
    [
      'fewer channels',
      layer(image3, (s, x) => basicBlock(s, x, { inChannels: 3, outChannels: 2, shortcut: 'pad' })),
      /from 3 to 2 channels.*'conv'/,
    ],
    [
      'a quarter of the channels',
      layer(image3, (s, x) => bottleneck(s, x, { inChannels: 3, outChannels: 6 })),
      /outChannels is 1\.5/,
    ],
    [
      'groups',
      layer(image3, (s, x) => groupNorm(s, x, { features: 3, groups: 2 })),
      /2 groups do not divide 3/,
    ],
    [
      'features',
      layer([6], (s, x) => linear(s, x, { inFeatures: 5, outFeatures: 2 })),
      /5 features and gets 6/,
    ],
    ['dropout', layer([6], (s, x) => dropout(s, x, 1)), /dropout of 1 leaves nothing/],
    [
      'rotation',
      layer([6], s => rotaryTable(s, s.int64(4), { headDim: 8, dim: 0 }).cos),
      /0 of 8 dimensions of a head cannot rotate/,
    ],
  ])('%s', (_, build, message) => {
    expect(build).toThrow(WhittleError);
    expect(build).toThrow(message);
  });
});
