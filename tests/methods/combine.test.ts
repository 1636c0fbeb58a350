import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/graph/tensor.js';
import { snapshotDistillation } from '../../src/methods/distillation/index.js';
import { lowRank } from '../../src/methods/factorized/index.js';
import { combine, readMethod } from '../../src/methods/registry.js';
import { linearRoles, selectLinearLayers } from '../../src/methods/select-layers.js';
import { lottery, rigl, snip } from '../../src/methods/sparse/index.js';
import { conv2d, exportForInference, linear, Network, relu, Scope, vit } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import {
  exportTrained,
  importedNetwork,
  prepareNetwork,
  sgd,
  type TrainingMethod,
  trainable,
  trainingStep,
} from '../../src/train/index.js';
import { squaredError } from '../train/small.js';
import { outcomeOf, trainTogether, transformer } from './matrix.js';

const make = (texts: readonly string[]): Promise<TrainingMethod[]> =>
  combine(texts.map(text => readMethod(text)));

const blocks = (training = true): Network =>
  vit({
    imageSize: 8,
    patchSize: 4,
    channels: 1,
    classes: 4,
    features: 64,
    heads: 2,
    depth: 3,
    hiddenFeatures: 128,
    training,
  });

/** The export of a network as methods would train it, before they have. */
async function exported(...texts: string[]) {
  const methods = await make(texts);
  const model = exportTrained(prepareNetwork(blocks(), methods), methods);
  const tensors = [...model.graph.initializers].map(({ initializer }) => initializer as Tensor);
  const float32 = tensors
    .filter(({ dtype }) => dtype === 'float32')
    .reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { bytes: encodeToBytes(model).byteLength, float32 };
}

describe('shared weights are quantized once', () => {
  it.each([
    ['cross-layer', 'qat:bits=8,inputs=float32,layers=all', 1],
    ['cross-layer', 'qat:layers=all', 1],
    ['cross-layer', 'lsq:layers=all', 0.5],
    ['cross-layer', 'qat:bits=8,inputs=float32', 1],
    ['cross-layer:share=ffn', 'qat', 1],
    ['cross-layer:share=attention', 'lsq:bits=8', 1],
    ['cross-layer:groups=2', 'qat', 1],
    ['cross-layer', 'xnor:inputs=false', 0.125],
  ])('%s with %s: the file is smaller', async (shared, quantized, bytesPerWeight) => {
    const alone = await exported(shared);
    const both = await exported(shared, quantized);
    // Of the layers inside; the patches' convolution and the classifier may stay as they are.
    const weights = [...prepareNetwork(blocks(), await make([shared])).parameters.values()]
      .filter(({ name, kind }) => name.startsWith('blocks') && kind === 'weight')
      .reduce((sum, { dims }) => sum + dims[0]! * dims[1]!, 0);
    const saved = weights * (4 - bytesPerWeight);
    expect(alone.bytes - both.bytes).toBeGreaterThan(0.5 * saved);
    // No weight is left in float32: scales are all that came.
    expect(alone.float32 - both.float32).toBeGreaterThan(0.9 * 4 * weights);
  });

  it('in a network that was read from a file, too', async () => {
    const model = exportForInference(blocks(false));
    const bytesOf = async (...texts: string[]): Promise<number> => {
      const methods = await make(texts);
      const network = prepareNetwork(importedNetwork(trainable(model)), methods);
      return encodeToBytes(exportTrained(network, methods)).byteLength;
    };
    expect(await bytesOf('cross-layer', 'qat')).toBeLessThan(0.5 * (await bytesOf('cross-layer')));
  });

  it.each([
    ['cross-layer', 'qat:layers=all'],
    ['cross-layer', 'lsq:layers=all'],
    ['cross-layer:share=ffn', 'qat:bits=4,inputs=float32'],
    ['cross-layer', 'abc-net'],
  ])('%s with %s: the file computes what was trained', async (...texts) => {
    const outcome = await outcomeOf(texts);
    expect(outcome).toHaveProperty('apart');
    expect((outcome as { apart: number }).apart).toBeLessThan(1e-4);
  });
});

describe('the layers that quantizers take by themselves', () => {
  function convolutions(): Network {
    const network = new Network({ training: true });
    const scope = new Scope(network);
    let x = network.input('input', 'float32', ['batch', 1, 6, 6]);
    x = relu(scope, conv2d(scope.at('first'), x, { inChannels: 1, outChannels: 4, kernelSize: 3 }));
    x = relu(
      scope,
      conv2d(scope.at('depthwise'), x, { inChannels: 4, outChannels: 4, kernelSize: 3, groups: 4 }),
    );
    x = relu(scope, conv2d(scope.at('pointwise'), x, { inChannels: 4, outChannels: 6, kernelSize: 1 }));
    x = scope.op('Flatten', [x]);
    x = relu(scope, linear(scope.at('hidden'), x, { inFeatures: 24, outFeatures: 8 }));
    network.output('logits', linear(scope.at('head'), x, { inFeatures: 8, outFeatures: 2 }));
    return network;
  }

  it.each([
    ['qat', ['depthwise', 'pointwise', 'hidden']],
    ['lsq:layers=all', ['first', 'depthwise', 'pointwise', 'hidden', 'head']],
    ['dorefa:layers=*wise+hidden', ['depthwise', 'pointwise', 'hidden']],
    ['xnor:layers=depthwise', ['depthwise']],
  ])('%s: %s', async (text, paths) => {
    const methods = await make([text]);
    const network = prepareNetwork(convolutions(), methods);
    const found = [...network.graph.nodes].flatMap(node => node.outputs).map(value => value?.name ?? '');
    const quantized = found.filter(name => name.endsWith('.weight/quantized'));
    expect(quantized.map(name => name.split('.')[0])).toEqual(paths);
  });
});

describe('methods for layers of their own', () => {
  it.each([
    ['dyad:layers=ffn', 'stacked-kronecker:layers=attention'],
    ['stacked-kronecker:layers=attention', 'dyad:layers=ffn'],
    ['dyad:layers=ffn', 'qat:layers=attention'],
    ['low-rank:rule=rank,amount=3,layers=ffn', 'hashed:layers=attention'],
    ['hashed:layers=ffn', 'l1:layers=attention'],
    ['cross-layer', 'factorized-embedding:features=4'],
    ['cross-layer', 'hashed'],
  ])('%s and %s train together', async (...texts) => {
    const outcome = await outcomeOf(texts);
    expect(outcome).toHaveProperty('apart');
    expect((outcome as { apart: number }).apart).toBeLessThan(1e-4);
  });

  it('five at once', async () => {
    const texts = ['mutual', 'rigl:density=0.5', 'qat', 'cross-layer', 'low-rank:rule=rank,amount=3'];
    const outcome = await outcomeOf(texts);
    expect(outcome).toHaveProperty('apart');
    expect((outcome as { apart: number }).apart).toBeLessThan(1e-4);
  });

  it('each changes its own', async () => {
    const methods = await make(['dyad:layers=ffn', 'qat:layers=attention']);
    const names = [...(await trainTogether(methods, 1)).parameters.keys()];
    expect(names).toContain('bert.encoder.layer.0.output.dense.block_diagonal');
    expect(names).toContain('bert.encoder.layer.0.attention.self.query.input_low');
    expect(names.filter(name => /input_low/.test(name) && !/attention/.test(name))).toEqual([]);
  });
});

describe('methods that get in each other’s way are named', () => {
  const leave = /Give them different layers where they have the setting `layers`, or leave one of them out/;
  it.each([
    [['hashed', 'rigl:dense=none,density=0.5'], 'hashed', 'rigl'],
    [['rigl', 'clustered'], 'clustered', 'rigl'],
    [['dyad:layers=ffn', 'qat'], 'dyad', 'qat'],
    [['low-rank:rule=rank,amount=3', 'hashed'], 'low-rank', 'hashed'],
    [['overcomplete', 'qat'], 'overcomplete', 'qat'],
    [['overcomplete', 'rigl'], 'overcomplete', 'rigl'],
    [['qat', 'hashed'], 'hashed', 'qat'],
    [['dyad', 'monarch'], 'dyad', 'monarch'],
    [['dyad', 'l1'], 'dyad', 'l1'],
  ])('%s', async (texts, first, second) => {
    const methods = await make(texts);
    const both = () => prepareNetwork(transformer(), methods);
    const message = `^${first} and ${second} do not combine: ${first} changes layers that ${second} acts on \\(bert\\..*and \\d+ more`;
    expect(both).toThrow(new RegExp(message.replace('.*and \\d+ more', '')));
    expect(both).toThrow(leave);
  });

  it('where one leaves no place for the other', async () => {
    const methods = await make(['dyad:layers=ffn', 'cross-layer:share=ffn']);
    expect(() => prepareNetwork(transformer(), methods)).toThrow(
      /^cross-layer finds no place in the network as dyad made it: the network has no blocks/,
    );
    // An error that others have no part in stays as it is.
    const alone = await make(['dyad:layers=ffn', 'l1:layers=gone']);
    expect(() => prepareNetwork(transformer(), alone)).toThrow(/^"gone" chooses no/);
  });

  const sparse = { density: 0.5, counted: 'layers', dense: 'none' } as const;
  const moving = { ...sparse, spread: 'uniform', interval: 5, fraction: 0.3, stop: 0.75 } as const;
  const train = (...methods: TrainingMethod[]) => trainTogether(methods, 1);

  it('in a training without the command line, too', async () => {
    await expect(train(rigl(moving), snip({ ...sparse, samples: 4 }))).rejects.toThrow(
      /rigl and snip do not combine: both decide the masks/,
    );
    const tickets = lottery({ ...sparse, rate: 0.5, rewind: 0, scope: 'global' });
    await expect(train(tickets, snapshotDistillation())).rejects.toThrow(
      /lottery and snapshot do not combine: both decide the schedule/,
    );
    const step = () =>
      trainingStep(blocks(), {
        objective: squaredError,
        optimizer: sgd(),
        methods: [rigl(moving), rigl(moving)],
      });
    expect(step).toThrow(/rigl and rigl do not combine/);
  });

  it('in an order in which they cannot act', async () => {
    await expect(train(rigl(moving), lowRank({ rank: { rank: 3 } }))).rejects.toThrow(
      /^rigl acts on layers that low-rank changes after it, such as bert\..*List low-rank before rigl/,
    );
  });
});

it('factors keep the role and the path of their layer', () => {
  const network = prepareNetwork(transformer(), [lowRank({ rank: { rank: 3 } })]);
  const before = linearRoles(transformer());
  const after = linearRoles(network);
  expect(after.size).toBeGreaterThan(before.size);
  for (const [path, role] of after) expect(role).toBe(before.get(path.replace(/\.[uv]$/, '')));
  const chosen = selectLinearLayers(network, 'bert.encoder.layer.1.output.dense').map(({ path }) => path);
  expect(chosen.sort()).toEqual(['u', 'v'].map(factor => `bert.encoder.layer.1.output.dense.${factor}`));
});
