import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import { linearRoles, selectLinearLayers } from '../../../src/methods/select-layers.js';
import {
  dyadMethod,
  narrowFeedForwardMethod,
  rankReductionMethod,
  STRUCTURED_METHODS,
  stackedKronecker,
  stackedKroneckerMethod,
} from '../../../src/methods/structured/index.js';
import { exportForInference } from '../../../src/nn/export.js';
import { bert } from '../../../src/nn/models/bert.js';
import { gpt2 } from '../../../src/nn/models/gpt2.js';
import { mlp } from '../../../src/nn/models/mlp.js';
import { phi } from '../../../src/nn/models/phi.js';
import { vit } from '../../../src/nn/models/vit.js';
import type { Network } from '../../../src/nn/network.js';
import { adamW, classification, readSettings, StepRunner, trainingStep } from '../../../src/train/index.js';
import { imageTensor } from '../../nn/golden/fill.js';
import { run } from '../../nn/run.js';

const smallVit = (): Network =>
  vit({
    imageSize: 16,
    patchSize: 4,
    channels: 1,
    classes: 4,
    features: 16,
    heads: 2,
    depth: 2,
    hiddenFeatures: 32,
    training: true,
  });

const sizes = { vocabulary: 19, features: 16, depth: 1, heads: 2, maxTokens: 6 };

describe('roles of linear layers', () => {
  it.each([
    ['ViT', smallVit, ['blocks.0.mlp.fc1', 'blocks.0.mlp.fc2', 'blocks.0.attn.qkv', 'blocks.0.attn.proj']],
    [
      'BERT',
      () => bert({ ...sizes, head: 'classification' }),
      [
        'bert.encoder.layer.0.intermediate.dense',
        'bert.encoder.layer.0.output.dense',
        'bert.encoder.layer.0.attention.self.query',
        'bert.encoder.layer.0.attention.output.dense',
      ],
    ],
    [
      'GPT-2',
      () => gpt2({ ...sizes, training: true }),
      [
        'transformer.h.0.mlp.c_fc',
        'transformer.h.0.mlp.c_proj',
        'transformer.h.0.attn.c_attn',
        'transformer.h.0.attn.c_proj',
      ],
    ],
    [
      'Phi',
      () => phi({ ...sizes, features: 20 }),
      [
        'model.layers.0.mlp.fc1',
        'model.layers.0.mlp.fc2',
        'model.layers.0.self_attn.q_proj',
        'model.layers.0.self_attn.dense',
      ],
    ],
  ] as const)('%s', (_name, build, [first, second, projection, output]) => {
    const roles = linearRoles(build());
    expect(roles.get(first)).toBe('ffn-in');
    expect(roles.get(second)).toBe('ffn-out');
    expect(roles.get(projection)).toBe('attention-in');
    expect(roles.get(output)).toBe('attention-out');
  });

  it('takes no pooler and classifier for a feed-forward pair', () => {
    const roles = linearRoles(bert({ ...sizes, head: 'classification' }));
    expect(roles.get('bert.pooler.dense')).toBe('other');
    expect(roles.get('classifier')).toBe('other');
  });

  it('selects by role, by path and all but the classifier', () => {
    const network = smallVit();
    const paths = (selection: string) => selectLinearLayers(network, selection).map(({ path }) => path);
    expect(paths('ffn-in')).toEqual(['blocks.0.mlp.fc1', 'blocks.1.mlp.fc1']);
    expect(paths('blocks.1.*')).toHaveLength(4);
    expect(paths('attention-out+blocks.0.mlp.fc2')).toEqual([
      'blocks.0.attn.proj',
      'blocks.0.mlp.fc2',
      'blocks.1.attn.proj',
    ]);
    expect(paths('all')).toHaveLength(8);
    expect(() => paths('blocks.7.*')).toThrow(/chooses no linear layer.*blocks.0.attn.qkv.*ffn-in/s);
    expect(() => selectLinearLayers(mlp({ widths: [3, 2, 1] }), 'attention')).toThrow(/chooses no/);
  });
});

const pixel_values = imageTensor([6, 1, 16, 16]);
const labels = Tensor.int64([0, 1, 2, 3, 0, 1]);

describe.each(STRUCTURED_METHODS.map(entry => [entry.name, entry] as const))('%s', (_name, entry) => {
  const create = (...changes: string[]) => entry.create(readSettings(entry.settings, changes));

  it('trains: the loss falls, with fewer parameters, and what is exported gives the trained outputs', async () => {
    const network = smallVit();
    const step = trainingStep(network, {
      objective: classification(),
      optimizer: adamW(),
      methods: [await create()],
      sizes: { batch: 6 },
    });
    expect(step.network.parameterCount()).toBeLessThan(0.85 * network.parameterCount());
    const runner = await StepRunner.create(step, { threads: 1 });
    const losses: number[] = [];
    for (let i = 0; i < 12; i++) {
      losses.push((await runner.run({ pixel_values, labels }, { learningRate: 3e-3 })).loss!);
    }
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
    const trained = step.network;
    for (const name of trained.parameters.keys()) trained.setTensor(name, runner.states.read(name));
    await runner.release();
    const exported = await run(exportForInference(trained), { pixel_values });
    const again = await run(trained.toModel(), { pixel_values });
    again.logits!.toFloat32().forEach((value, i) => {
      expect(exported.logits!.toFloat32()[i]).toBeCloseTo(value, 4);
    });
  });
});

describe('structured methods', () => {
  it('start as near to the present weights as they can, if told', async () => {
    const network = smallVit();
    const images = { pixel_values };
    const before = (await run(network.toModel(), images)).logits!.toFloat32();
    const shift = async (start: 'dense' | 'variance') => {
      const copy = smallVit(); // The nearest weights of nearly full rank change the outputs least.
      rankReductionMethod.create({ layers: 'ffn-in', start, fraction: 0.99 }).prepare!(copy);
      const after = (await run(copy.toModel(), images)).logits!.toFloat32();
      return Math.hypot(...before.map((value, i) => value - after[i]!));
    };
    expect(await shift('dense')).toBeLessThan(0.5 * (await shift('variance')));
  });

  it('name the layer that they do not fit', () => {
    const method = dyadMethod.create({
      layers: 'all',
      start: 'variance',
      blocks: 3,
      variant: 'it',
      cat: false,
    });
    expect(() => method.prepare!(smallVit())).toThrow(
      /layer blocks.0.attn.qkv: DYAD: 3 blocks do not divide/,
    );
  });

  it('refuse to make a layer larger', () => {
    const method = dyadMethod.create({
      layers: 'ffn',
      start: 'variance',
      blocks: 2,
      variant: 'it',
      cat: false,
    });
    expect(() => method.prepare!(smallVit())).toThrow(
      /layer blocks.0.mlp.fc1: the structure has 512 parameters, the dense weight 512/,
    );
  });

  it('narrows networks that have feed-forward layers only', () => {
    expect(() => narrowFeedForwardMethod.create({ scale: 0.5 }).prepare(mlp({ widths: [3, 2, 1] }))).toThrow(
      /no feed-forward layers/,
    );
  });
});

describe('stacked Kronecker products, auto', () => {
  // 16 products of 8 × 8: 16384 multiplications a row by factors; 4096 by the weight, and 65536 to make it.
  const structure = (rows?: number) =>
    stackedKronecker(
      { inFeatures: 64, outFeatures: 64, ...(rows !== undefined && { rows }) },
      { fraction: 0.5 },
    );

  it('takes what is fewer multiplications for the rows, and the weight where they are not known', () => {
    for (const rows of [1, 5, 6, 1000]) {
      expect(structure(rows).macs(rows)).toBe(Math.min(rows * 16384, 65536 + rows * 4096));
    }
    expect(structure().macs(3)).toBe(65536 + 3 * 4096);
  });

  it.each([
    ['5 examples in a step', true, 5, true],
    ['6 examples in a step', true, 6, false],
    ['a step of any size', true, undefined, false],
    ['inference, which makes the weight once', false, 1, false],
  ])('%s', (_, training, batch, factored) => {
    const network = mlp({ widths: [64, 64, 3], training });
    const [entry, values] = [
      stackedKroneckerMethod,
      readSettings(stackedKroneckerMethod.settings, ['layers=0']),
    ];
    entry.create(values).prepare!(network, batch === undefined ? {} : { batch });
    const made = [...network.graph.nodes].some(({ output }) => output.shape?.join() === '64,64');
    expect(made).toBe(!factored);
  });

  it('knows the batch that it trains with', () => {
    const method = stackedKroneckerMethod.create(readSettings(stackedKroneckerMethod.settings, ['layers=0']));
    const made = [2, 200].map(batch => {
      const network = mlp({ widths: [64, 64, 3], training: true });
      const { network: prepared } = trainingStep(network, {
        objective: classification(),
        optimizer: adamW(),
        methods: [method],
        sizes: { batch },
      });
      return [...prepared.graph.nodes].some(({ output }) => output.shape?.join() === '64,64');
    });
    expect(made).toEqual([false, true]);
  });
});
