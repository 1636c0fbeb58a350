import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { linearRoles, selectLinearLayers } from '../../../src/methods/select-layers.js';
import { monarchMethod } from '../../../src/methods/structured/index.js';
import { exportForInference } from '../../../src/nn/export.js';
import { bert } from '../../../src/nn/models/bert.js';
import { vit } from '../../../src/nn/models/vit.js';
import type { Network } from '../../../src/nn/network.js';
import { decodeModel, encodeToBytes } from '../../../src/onnx/index.js';
import {
  adamW,
  classification,
  exportTrained,
  importedNetwork,
  StepRunner,
  trainable,
  trainingStep,
} from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { imageTensor } from '../../nn/golden/fill.js';
import { run } from '../../nn/run.js';

const transformer = { classes: 3, features: 16, heads: 2, depth: 2, hiddenFeatures: 32 };
const ids = Tensor.int64([1, 2, 0, 3, 5, 6, 4, 4], [2, 4]);

const NETWORKS: readonly [string, () => Network, Readonly<Record<string, Tensor>>][] = [
  [
    'ViT',
    () => vit({ ...transformer, imageSize: 8, patchSize: 4, channels: 1 }),
    { pixel_values: imageTensor([2, 1, 8, 8]) },
  ],
  [
    'BERT',
    () => bert({ ...transformer, vocabulary: 9, maxTokens: 4, dropout: 0, head: 'classification' }),
    {
      input_ids: ids,
      attention_mask: Tensor.int64([1, 1, 1, 1, 1, 1, 1, 0], [2, 4]),
      token_type_ids: Tensor.int64(Array(8).fill(0), [2, 4]),
    },
  ],
];

const readBack = (network: Network): Network =>
  importedNetwork(trainable(decodeModel(encodeToBytes(exportForInference(network)))));

describe.each(NETWORKS)('a %s from a file', (_, build, feeds) => {
  it('has the roles that it was built with', () => {
    const imported = readBack(build());
    expect(new Map([...linearRoles(imported)].sort())).toEqual(new Map([...linearRoles(build())].sort()));
  });

  it.each([
    'stacked-kronecker:layers=all',
    'dyad:layers=attention,cat=true',
    'monarch:layers=ffn+attention-in',
    'narrow-ffn',
    'low-rank:layers=attention,rule=scale',
    'attention-frobenius:init=product',
  ])('takes %s, trains and leaves', async text => {
    const imported = readBack(build());
    const before = imported.parameterCount();
    const [method] = await combine([readMethod(text)]);
    const step = trainingStep(imported, {
      objective: classification(),
      optimizer: adamW(),
      methods: [method!],
    });
    const runner = await StepRunner.create(step, { threads: 1 });
    try {
      const losses: number[] = [];
      const batch = { ...feeds, labels: Tensor.int64([2, 0]) };
      for (let i = 0; i < 6; i++) {
        losses.push((await runner.run(batch, { learningRate: 0.003, weightDecay: 0.01 })).loss!);
      }
      expect(losses.at(-1)).toBeLessThan(losses[0]!);
    } finally {
      await runner.release();
    }
    const count = step.network.parameterCount();
    if (text.startsWith('overcomplete')) expect(count).toBeGreaterThan(before);
    else if (text.startsWith('attention')) expect(count).toBe(before);
    else expect(count).toBeLessThan(before);
    const { logits } = await run(exportTrained(step.network, [method!]), feeds);
    expect(logits!.dims).toEqual([2, 3]);
  });

  it('is narrowed by half of its hidden features, with fresh weights', async () => {
    const imported = readBack(build());
    const before = imported.parameterCount();
    const [method] = await combine([readMethod('narrow-ffn')]);
    method!.prepare!(imported);
    // Two blocks, 16 of 32 hidden features, each with an input weight, a bias and an output weight.
    expect(before - imported.parameterCount()).toBe(2 * 16 * (16 + 1 + 16));
    const weights = [...imported.parameters.values()].filter(({ name }) => /narrow\.weight$/.test(name));
    expect(weights).toHaveLength(4);
    for (const { name, fanIn } of weights) {
      const bound = 1 / Math.sqrt(fanIn);
      const values = imported.tensor(name).toFloat32();
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.hypot(...values) / Math.sqrt(values.length)).toBeGreaterThan(0.4 * bound);
    }
  });
});

it('layers of a model from a file are found by what they do, and replaced by what is nearest to them', async () => {
  const [, build, feeds] = NETWORKS[0]!;
  const built = build();
  const load = () => readBack(built);
  const network = load();
  expect(selectLinearLayers(network, 'ffn')).toHaveLength(4);

  const before = await run(built.toModel(), feeds);
  const replace = (start: 'dense' | 'variance') => {
    const copy = load();
    monarchMethod.create({ layers: 'ffn', start, fraction: 0.95, blocks: 2 }).prepare!(copy);
    return copy;
  };
  const close = replace('dense');
  expect(close.parameterCount()).toBeLessThan(network.parameterCount());
  const { logits } = await run(exportForInference(close), feeds);
  expectClose(logits, before.logits!, 0.2);
  const far = (await run(exportForInference(replace('variance')), feeds)).logits!.toFloat32();
  const error = (values: ArrayLike<number>) =>
    Math.hypot(...before.logits!.toFloat32().map((value, i) => value - values[i]!));
  expect(error(logits!.toFloat32())).toBeLessThan(0.5 * error(far));
});
