import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import type { MethodEntry } from '../../../src/methods/entry.js';
import {
  cluster,
  clusteredMethod,
  clusterParameter,
  crossLayerMethod,
  factorizedEmbeddingMethod,
  factorizeEmbedding,
  hashedMethod,
  hashOf,
  hashParameter,
  shareAcrossLayers,
} from '../../../src/methods/sharing/index.js';
import { exportForInference } from '../../../src/nn/export.js';
import { bert } from '../../../src/nn/models/bert.js';
import { cifarResNet } from '../../../src/nn/models/cifar-resnet.js';
import { gpt2 } from '../../../src/nn/models/gpt2.js';
import { mlp } from '../../../src/nn/models/mlp.js';
import { vit } from '../../../src/nn/models/vit.js';
import type { Network } from '../../../src/nn/network.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { Random } from '../../../src/random/random.js';
import {
  adamW,
  classification,
  languageModel,
  readSettings,
  StepRunner,
  trainingStep,
} from '../../../src/train/index.js';
import { sgd } from '../../../src/train/optimizers/index.js';
import { expectClose } from '../../nn/close.js';
import { idTensor, imageTensor } from '../../nn/golden/fill.js';
import { run } from '../../nn/run.js';
import { smallBatch, smallNetwork, squaredError } from '../../train/small.js';

const sizes = { vocabulary: 40, features: 16, depth: 3, heads: 2, maxTokens: 6, dropout: 0 };
const text = {
  input_ids: idTensor('input_ids', [2, 5], 40),
  attention_mask: idTensor('attention_mask', [2, 5], 2),
  token_type_ids: idTensor('token_type_ids', [2, 5], 2),
};
const { input_ids } = text;
const data = (network: Network, name: string) => network.tensor(name).toFloat32();

/** A training step of plain gradient descent: by how much each parameter moved, over the learning rate. */
async function gradientStep(network: Network): Promise<Map<string, Float64Array>> {
  const step = trainingStep(network, { objective: squaredError, optimizer: sgd(), weightDecay: false });
  const runner = await StepRunner.create(step, { threads: 1 });
  await runner.run(smallBatch(1), { learningRate: 1 });
  const moved = new Map<string, Float64Array>();
  for (const name of network.parameters.keys()) {
    const [before, after] = [data(network, name), runner.states.read(name).toFloat32()];
    moved.set(
      name,
      Float64Array.from(before, (x, i) => x - after[i]!),
    );
  }
  await runner.release();
  return moved;
}

/** The same network with plain weights of the values that the shared ones have. */
function plain(weights: Readonly<Record<string, Float32Array>>): Network {
  const network = smallNetwork();
  for (const [name, values] of Object.entries(weights)) {
    network.setTensor(name, Tensor.float32(network.parameter(name).dims, values));
  }
  return network;
}

describe('hashed weights', () => {
  const options = { fraction: 0.5, seed: 7 };
  const weightOf = (network: Network) => {
    const shared = data(network, '0.weight.hashed');
    return Float32Array.from({ length: 12 }, (_, t) => {
      const { bucket, sign } = hashOf(t, { buckets: 6, seed: 7, stream: '0.weight' });
      return sign * shared[bucket]!;
    });
  };

  it('are those of the vector by the hash, in the graph as outside of it', async () => {
    const network = smallNetwork();
    hashParameter(network, '0.weight', options);
    expect(network.tensor('0.weight.hashed').dims).toEqual([6]);
    expect(network.parameters.has('0.weight')).toBe(false);
    const feeds = { input: smallBatch(1).input };
    const expected = await run(plain({ '0.weight': weightOf(network) }).toModel(), feeds);
    expectClose((await run(exportForInference(network), feeds)).logits, expected.logits!, 1e-6);
  });

  it('gather the gradients of their elements, with signs', async () => {
    const network = smallNetwork();
    hashParameter(network, '0.weight', options);
    const dense = (await gradientStep(plain({ '0.weight': weightOf(network) }))).get('0.weight')!;
    const expected = new Float64Array(6);
    dense.forEach((g, t) => {
      const { bucket, sign } = hashOf(t, { buckets: 6, seed: 7, stream: '0.weight' });
      expected[bucket]! += sign * g;
    });
    const found = (await gradientStep(network)).get('0.weight.hashed')!;
    expected.forEach((g, k) => expect(found[k]).toBeCloseTo(g, 5));
  });

  it('fill buckets evenly, with as many of either sign', () => {
    const [buckets, size] = [50, 50_000];
    const counts = new Float64Array(buckets);
    let signs = 0;
    for (let t = 0; t < size; t++) {
      const { bucket, sign } = hashOf(t, { buckets, seed: 3, stream: 'w' });
      counts[bucket]!++;
      signs += sign;
    }
    // χ² of 49 degrees of freedom is beyond 94 once in ten thousand times; the seed is fixed.
    const expected = size / buckets;
    expect(counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0)).toBeLessThan(94);
    expect(Math.abs(signs)).toBeLessThan(4 * Math.sqrt(size));
  });

  it('start with the means of what is there, if told', () => {
    const network = smallNetwork();
    const before = data(network, '0.weight').slice();
    hashParameter(network, '0.weight', { ...options, start: 'dense' });
    const after = weightOf(network);
    const shared = data(network, '0.weight.hashed');
    shared.forEach((_, k) => {
      let residual = 0;
      before.forEach((value, t) => {
        const { bucket, sign } = hashOf(t, { buckets: 6, seed: 7, stream: '0.weight' });
        if (bucket === k) residual += sign * (value - after[t]!);
      });
      // Least squares: what is left over is orthogonal to the bucket.
      expect(Math.abs(residual)).toBeLessThan(1e-6);
    });
  });

  it('leave a file without a table of indices', () => {
    const network = mlp({ widths: [64, 64, 10] });
    const before = encodeToBytes(exportForInference(network)).length;
    hashedMethod.create({ layers: '0', fraction: 0.1, seed: 0, start: 'variance' }).prepare(network);
    const after = encodeToBytes(exportForInference(network)).length;
    expect(before - after).toBeGreaterThan(0.7 * 4 * 64 * 64);
  });

  it('refuse a fraction that leaves nothing', () => {
    expect(() => hashParameter(smallNetwork(), '0.weight', { fraction: 0.01, seed: 0 })).toThrow(
      /0 shared numbers do not fit 12/,
    );
  });
});

describe('k-means of numbers', () => {
  const values = fc.array(fc.float({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 60 });

  it('gives every number its nearest centroid, and each centroid the mean of its numbers', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 9 }), (list, count) => {
        const numbers = Float32Array.from(list);
        const { codebook, assignment } = cluster(numbers, count, 10_000);
        expect(codebook.length).toBeLessThanOrEqual(count);
        expect(Math.max(...assignment)).toBeLessThan(codebook.length);
        numbers.forEach((x, i) => {
          const own = Math.abs(x - codebook[assignment[i]!]!);
          for (const other of codebook) expect(own).toBeLessThanOrEqual(Math.abs(x - other) + 1e-5);
        });
        codebook.forEach((centroid, k) => {
          const members = list.filter((_, i) => assignment[i] === k);
          expect(members.length).toBeGreaterThan(0);
          const mean = members.reduce((sum, x) => sum + x, 0) / members.length;
          expect(Math.abs(mean - centroid)).toBeLessThan(1e-5);
        });
      }),
    );
  });

  it('keeps few values exactly', () => {
    const { codebook, assignment } = cluster(Float32Array.of(3, -1, 3, 0.5), 16);
    expect([...codebook]).toEqual([-1, 0.5, 3]);
    expect([...assignment]).toEqual([2, 0, 2, 1]);
    expect(() => cluster(Float32Array.of(1), 257)).toThrow(/from 1 to 256/);
  });
});

describe('clustered weights', () => {
  it('train their codebook alone, each centroid by the sum over its elements', async () => {
    const network = smallNetwork();
    const { codebook, assignment } = cluster(data(network, '0.weight'), 4);
    clusterParameter(network, '0.weight', 2);
    expect(data(network, '0.weight.codebook')).toEqual(codebook);
    const weights = Float32Array.from(assignment, k => codebook[k]!);
    const feeds = { input: smallBatch(1).input };
    const expected = await run(plain({ '0.weight': weights }).toModel(), feeds);
    expectClose((await run(exportForInference(network), feeds)).logits, expected.logits!, 1e-6);

    const dense = (await gradientStep(plain({ '0.weight': weights }))).get('0.weight')!;
    const sums = new Float64Array(codebook.length);
    dense.forEach((g, i) => (sums[assignment[i]!]! += g));
    const found = (await gradientStep(network)).get('0.weight.codebook')!;
    sums.forEach((g, k) => expect(found[k]).toBeCloseTo(g, 5));
  });

  it('take a byte each in the file', () => {
    const network = mlp({ widths: [64, 64, 10] });
    const before = encodeToBytes(exportForInference(network)).length;
    clusteredMethod.create({ layers: '0', bits: 4 }).prepare(network);
    const after = encodeToBytes(exportForInference(network)).length;
    expect(Math.abs(before - after - 3 * 64 * 64)).toBeLessThan(600);
  });

  it('reach convolutions', () => {
    const network = cifarResNet({ depth: 8, imageSize: 8 });
    clusteredMethod.create({ layers: 'all', bits: 3 }).prepare(network);
    const left = [...network.parameters.values()].filter(
      ({ kind, dims }) => kind === 'weight' && dims.length === 4,
    );
    expect(left).toHaveLength(0);
  });
});

describe('cross-layer sharing', () => {
  it('computes what blocks with equal parameters compute', async () => {
    const network = bert({ ...sizes, head: 'mlm' });
    const names = [...network.parameters.keys()];
    const twin = bert({ ...sizes, head: 'mlm' });
    for (const name of names) {
      const first = name.replace(/layer\.\d+\./, 'layer.0.');
      twin.setTensor(name, twin.tensor(first));
    }
    const perBlock = names.filter(name => name.includes('.layer.1.')).length;
    shareAcrossLayers(network);
    expect(network.parameters.size).toBe(names.length - 2 * perBlock);
    expect(network.parameter('bert.encoder.layer.2.output.dense.bias').name).toBe(
      'bert.encoder.layer.0.output.dense.bias',
    );
    const expected = await run(twin.toModel(), text);
    expectClose((await run(exportForInference(network), text)).logits, expected.logits!, 1e-6);
  });

  it('has as many parameters as one block of each group', () => {
    const build = (depth: number) => gpt2({ ...sizes, depth });
    const [one, five] = [build(1), build(5)].map(network => network.parameterCount()) as [number, number];
    const block = (five - one) / 4;
    for (const groups of [1, 2, 3, 4]) {
      const network = build(5);
      shareAcrossLayers(network, { groups });
      expect(network.parameterCount()).toBe(one + (groups - 1) * block);
    }
    for (const groups of [5, 6]) {
      expect(() => shareAcrossLayers(build(5), { groups })).toThrow(/no blocks/);
    }
  });

  it('shares attentions or feed-forward layers alone', () => {
    const build = () =>
      vit({ imageSize: 8, patchSize: 4, features: 8, heads: 2, depth: 3, hiddenFeatures: 12 });
    const all = build().parameterCount();
    const saved = (share: 'attention' | 'ffn') => {
      const network = build();
      shareAcrossLayers(network, { share });
      return all - network.parameterCount();
    };
    expect(saved('attention')).toBe(2 * (8 * 24 + 24 + 8 * 8 + 8));
    expect(saved('ffn')).toBe(2 * (8 * 12 + 12 + 12 * 8 + 8));
  });

  it('says where there is nothing to share', () => {
    expect(() => shareAcrossLayers(mlp({ widths: [3, 4, 2] }))).toThrow(/no blocks whose parameters/);
  });
});

describe('factorized embeddings', () => {
  it.each([
    ['GPT-2', () => gpt2(sizes), { input_ids }, 'transformer.wte'],
    ['BERT', () => bert({ ...sizes, head: 'mlm' }), text, 'bert.embeddings.word_embeddings'],
  ] as const)(
    '%s computes what the product of both factors does, head included',
    async (_name, build, feeds, path) => {
      const network = build();
      const before = network.parameterCount();
      factorizeEmbedding(network, { features: 5 });
      expect(network.parameterCount()).toBe(before - 40 * 16 + 5 * (40 + 16));
      const [table, projection] = [data(network, `${path}.table`), data(network, `${path}.projection`)];
      const product = Float32Array.from({ length: 40 * 16 }, (_, at) => {
        let sum = 0;
        for (let k = 0; k < 5; k++)
          sum += table[Math.floor(at / 16) * 5 + k]! * projection[k * 16 + (at % 16)]!;
        return sum;
      });
      const twin = build();
      twin.setTensor(`${path}.weight`, Tensor.float32([40, 16], product));
      const expected = await run(twin.toModel(), feeds);
      expectClose((await run(exportForInference(network), feeds)).logits, expected.logits!, 1e-5);
    },
  );

  it('begins at the table it replaces, if told', () => {
    const network = gpt2(sizes);
    const random = new Random(1);
    const [u, v] = [40, 16].map(length => Float64Array.from({ length: length * 3 }, () => random.normal()));
    const low = Float32Array.from({ length: 40 * 16 }, (_, at) => {
      const [i, j] = [Math.floor(at / 16), at % 16];
      return [0, 1, 2].reduce((sum, k) => sum + u![i * 3 + k]! * v![j * 3 + k]!, 0);
    });
    network.setTensor('transformer.wte.weight', Tensor.float32([40, 16], low));
    factorizeEmbedding(network, { features: 3, start: 'dense' });
    const [table, projection] = ['table', 'projection'].map(name => data(network, `transformer.wte.${name}`));
    low.forEach((value, at) => {
      const [i, j] = [Math.floor(at / 16), at % 16];
      const found = [0, 1, 2].reduce((sum, k) => sum + table![i * 3 + k]! * projection![k * 16 + j]!, 0);
      expect(found).toBeCloseTo(value, 4);
    });
  });

  it('refuses a width that saves nothing, and networks without words', () => {
    expect(() => factorizeEmbedding(gpt2(sizes), { features: 12 })).toThrow(/no smaller.*fewer than 11/);
    expect(() => factorizeEmbedding(mlp({ widths: [3, 2] }), { features: 1 })).toThrow(/no embedding/);
  });
});

describe('training', () => {
  const images = { pixel_values: imageTensor([6, 1, 8, 8]), labels: Tensor.int64([0, 1, 2, 3, 0, 1]) };
  const vision = () =>
    vit({
      imageSize: 8,
      patchSize: 4,
      channels: 1,
      classes: 4,
      features: 16,
      heads: 2,
      depth: 3,
      training: true,
    });
  const words = { input_ids, labels: input_ids };
  const language = () => gpt2({ ...sizes, training: true });

  it.each([
    ['hashed', hashedMethod, ['fraction=0.3'], vision, images, classification()],
    ['clustered', clusteredMethod, ['bits=4'], vision, images, classification()],
    ['cross-layer', crossLayerMethod, [], vision, images, classification()],
    ['factorized-embedding', factorizedEmbeddingMethod, ['features=6'], language, words, languageModel()],
  ] as const)('%s lowers the loss', async (_name, entry, changes, build, batch, objective) => {
    const { settings, create } = entry as unknown as MethodEntry;
    const network = build();
    const step = trainingStep(network, {
      objective,
      optimizer: adamW(),
      methods: [await create(readSettings(settings, changes))],
    });
    expect(step.network.parameterCount()).toBeLessThan(network.parameterCount());
    const runner = await StepRunner.create(step, { threads: 1 });
    const losses: number[] = [];
    for (let i = 0; i < 12; i++) losses.push((await runner.run(batch, { learningRate: 1e-2 })).loss!);
    await runner.release();
    expect(losses.at(-1)).toBeLessThan(0.93 * losses[0]!);
  });
});
