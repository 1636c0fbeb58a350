import { describe, expect, it } from 'vitest';
import { ImageArray } from '../../../src/datasets/index.js';
import { Tensor } from '../../../src/graph/index.js';
import { attentionParameters } from '../../../src/methods/factorized/attention/decay.js';
import {
  attentionEntry,
  factorizedAttention,
  spectralAttention,
} from '../../../src/methods/factorized/index.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { crossLayerMethod } from '../../../src/methods/sharing/index.js';
import { bert, gpt2, type Network, vit } from '../../../src/nn/index.js';
import { Random } from '../../../src/random/random.js';
import { adamW, classification, MemoryLog, train } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { run } from '../../nn/run.js';

const sizes = { vocabulary: 7, features: 12, depth: 2, heads: 2, maxTokens: 4, headDim: 3, dropout: 0 };
const ids = Tensor.int64([1, 2, 0, 3, 5, 6, 4, 4], [2, 4]);
const mask = Tensor.int64([1, 1, 1, 1, 1, 1, 1, 0], [2, 4]);

const NETWORKS: readonly [string, () => Network, Record<string, Tensor>][] = [
  [
    'BERT',
    () => bert({ ...sizes, head: 'mlm' }),
    { input_ids: ids, attention_mask: mask, token_type_ids: Tensor.int64(Array(8).fill(0), [2, 4]) },
  ],
  [
    'ViT',
    () => vit({ ...sizes, imageSize: 4, patchSize: 2, channels: 1, classes: 3 }),
    {
      pixel_values: Tensor.float32(
        [2, 1, 4, 4],
        Array.from({ length: 32 }, (_, i) => Math.sin(3 * i * i)),
      ),
    },
  ],
  ['GPT-2', () => gpt2(sizes), { input_ids: ids }],
];

/** The slices of one head, features × headDim, of query and key in the first attention of GPT-2 ((in, out), fused). */
const queryAndKey = (network: Network, head: number): [number[][], number[][]] => {
  const w = network.tensor('transformer.h.0.attn.c_attn.weight').toFloat64();
  const slice = (which: number) =>
    Array.from({ length: 12 }, (_, f) =>
      Array.from({ length: 3 }, (_, d) => w[f * 18 + which * 6 + head * 3 + d]!),
    );
  return [slice(0), slice(1)];
};

const gram = (a: number[][]): number[] =>
  [0, 1, 2].flatMap(i => [0, 1, 2].map(j => a.reduce((sum, row) => sum + row[i]! * row[j]!, 0)));

const productNorm = (a: number[][], b: number[][]): number =>
  Math.hypot(...a.flatMap(row => b.map(other => row.reduce((sum, x, d) => sum + x * other[d]!, 0))));

describe('spectral initialization of attention', () => {
  it.each(NETWORKS)(
    'of the present products leaves what an attention without biases computes: %s',
    async (_, build, feeds) => {
      const network = build();
      const before = Object.values(await run(network.toModel(), feeds))[0]!;
      expect(spectralAttention(network)).toBe(2);
      // Biases start at zero, so that Q Kᵀ and V O are all that an attention is.
      expectClose(Object.values(await run(network.toModel(), feeds))[0], before, 2e-5);
    },
  );

  it('gives balanced factors with orthogonal columns', () => {
    const network = gpt2(sizes);
    spectralAttention(network);
    for (const head of [0, 1]) {
      const [q, k] = queryAndKey(network, head).map(gram);
      q!.forEach((value, i) => {
        expect(value).toBeCloseTo(k![i]!, 6);
        if (i % 4 !== 0) expect(value).toBeCloseTo(0, 6);
      });
    }
  });

  it('of a random matrix keeps the norm of the products', () => {
    const [network, other] = [gpt2(sizes), gpt2(sizes)];
    spectralAttention(other, 'gaussian');
    for (const head of [0, 1]) {
      const [before, after] = [network, other].map(n => productNorm(...queryAndKey(n, head)));
      expect(after! / before!).toBeCloseTo(1, 5);
      const [q, k] = queryAndKey(other, head).map(gram);
      q!.forEach((value, i) => expect(value).toBeCloseTo(k![i]!, 6));
    }
  });
});

/** Noise, dark or bright. */
function brightness(length: number, seed: number): ImageArray {
  const random = new Random(seed);
  const labels = Array.from({ length }, () => random.integer(2));
  const pixels = Uint8Array.from(
    { length: length * 36 },
    (_, i) => random.integer(180) + 75 * labels[Math.floor(i / 36)]!,
  );
  const normalization = { mean: [0.5], std: [0.25] };
  return new ImageArray({ pixels, labels, shape: [1, 6, 6], normalization, classes: ['dark', 'bright'] });
}

it('a tiny ViT with narrow heads learns with Frobenius decay of its attention', async () => {
  const log = new MemoryLog();
  const network = vit({
    imageSize: 6,
    patchSize: 3,
    channels: 1,
    classes: 2,
    features: 16,
    depth: 2,
    heads: 2,
    headDim: 4,
    training: true,
    seed: 2,
  });
  const result = await train({
    network,
    data: { train: brightness(96, 1), test: brightness(40, 2) },
    objective: classification(),
    optimizer: adamW(),
    methods: [factorizedAttention({ init: 'product' })],
    learningRate: 3e-3,
    weightDecay: 0.05,
    batchSize: 16,
    updates: 40,
    evaluation: { every: 100 },
    logs: [log],
    session: { threads: 1 },
  });
  const losses = log.records.filter(({ kind }) => kind === 'step').map(({ values }) => values.loss!);
  expect(losses.at(-1)!).toBeLessThan(0.6 * losses[0]!);
  expect(result.evaluation!.accuracy).toBeGreaterThan(0.8);
  const method = attentionEntry.create({ init: 'gaussian', strength: 1 });
  method.prepare!(network);
  expect(method.replacesWeightDecay!(network.parameter('blocks.0.attn.qkv.weight'))).toBe(true);
  expect(method.replacesWeightDecay!(network.parameter('blocks.0.mlp.fc1.weight'))).toBe(false);
});

describe('with other methods', () => {
  const transformer = () =>
    vit({
      imageSize: 6,
      patchSize: 3,
      channels: 1,
      classes: 2,
      features: 16,
      depth: 2,
      heads: 2,
      training: true,
      seed: 2,
    });
  const learned = async (...texts: string[]) => {
    const methods = await combine(texts.map(text => readMethod(text)));
    const { network } = await train({
      network: transformer(),
      data: { train: brightness(64, 1) },
      objective: classification(),
      optimizer: adamW(),
      methods,
      learningRate: 1e-3,
      weightDecay: 0.5,
      batchSize: 16,
      updates: 6,
      session: { threads: 1 },
    });
    return network;
  };
  const qkv = (network: Network) => network.tensor('blocks.1.attn.qkv.weight').toFloat32();

  it.each([
    'low-rank:rule=rank,amount=3,layers=ffn',
    'overcomplete:layers=ffn',
    'dyad:layers=ffn',
    'rigl:density=0.5,interval=2',
    'qat:bits=4,inputs=float32',
  ])('%s: it decays what the other leaves alone', async other => {
    const both = await learned(other, 'attention-frobenius:strength=4');
    const alone = await learned(other);
    expect([...both.parameters.keys()]).toEqual([...alone.parameters.keys()]);
    expect(qkv(both)).not.toEqual(qkv(alone));
  });

  it('says so where the other leaves nothing', async () => {
    const both = () => learned('attention-frobenius', 'low-rank:rule=rank,amount=3,layers=all');
    await expect(both()).rejects.toThrow(/no attention .* of its own left.*layers=ffn/);
  });

  it('the products of attentions that share all weights are counted once', () => {
    const network = transformer();
    crossLayerMethod.create({ share: 'attention', groups: 1 }).prepare(network);
    expect(attentionParameters(network)).toEqual(['blocks.0.attn.qkv.weight', 'blocks.0.attn.proj.weight']);
  });
});
