import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import bertStudy from '../../docs/studies/full-scale/bert/study.js';
import cifar from '../../docs/studies/full-scale/cifar/study.js';
import languageModel from '../../docs/studies/full-scale/language-model/study.js';
import linearLayers from '../../docs/studies/full-scale/linear-layers/study.js';
import postOrScratch from '../../docs/studies/full-scale/post-or-scratch/study.js';
import sparse from '../../docs/studies/full-scale/sparse/study.js';
import tinyImageNet from '../../docs/studies/full-scale/tiny-imagenet/study.js';
import vitTinyStudy from '../../docs/studies/full-scale/vit-tiny/study.js';
import smallLanguageModel from '../../docs/studies/language-model/study.js';
import smallPostOrScratch from '../../docs/studies/post-or-scratch/study.js';
import smallSparse from '../../docs/studies/sparse/study.js';
import { inventedFacts } from '../../src/datasets/invented-facts.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { Random } from '../../src/random/random.js';
import type { DerivingArm, Study, TrainingArm } from '../../src/study/define.js';
import { readSettings, type Settings } from '../../src/train/index.js';
import { toSchedule } from '../../src/train/schedules/schedule.js';
import { fewSteps, made } from './few-steps.js';

// Deep graphs, on a machine that may have other work.
vi.setConfig({ testTimeout: 300_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-full-scale-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bytes = (count: number, random: Random): Uint8Array =>
  Uint8Array.from({ length: count }, () => random.integer(256));

let written: Promise<{ ten: string; hundred: string }> | undefined;
const writeCifar = () => {
  written ??= makeCifar();
  return written;
};

/** Eight records of the binary version, or as many as asked for. */
function cifarRecords(random: Random, labels: (i: number) => number[], count = 8): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, i) => Buffer.from([...labels(i), ...bytes(3072, random)])),
  );
}

/** As many images as calibration takes. */
async function writeMoreCifar(): Promise<string> {
  const more = join(folder, 'cifar-10-more');
  await mkdir(more);
  const random = new Random(1, 'images');
  for (const i of [1, 2, 3, 4, 5]) {
    await writeFile(
      join(more, `data_batch_${i}.bin`),
      cifarRecords(random, at => [at % 10], 52),
    );
  }
  await writeFile(
    join(more, 'test_batch.bin'),
    cifarRecords(random, i => [i]),
  );
  return more;
}

/** Files of the binary version, eight images each. */
async function makeCifar(): Promise<{ ten: string; hundred: string }> {
  const random = new Random(0, 'images');
  const [ten, hundred] = [join(folder, 'cifar-10'), join(folder, 'cifar-100')];
  await mkdir(ten);
  await mkdir(hundred);
  for (const name of [1, 2, 3, 4, 5].map(i => `data_batch_${i}`).concat('test_batch')) {
    await writeFile(
      join(ten, `${name}.bin`),
      cifarRecords(random, i => [i]),
    );
  }
  for (const name of ['train', 'test'])
    await writeFile(
      join(hundred, `${name}.bin`),
      cifarRecords(random, i => [i, 9 * i]),
    );
  const names = Array.from({ length: 100 }, (_, i) => `class${i}`);
  await writeFile(join(hundred, 'fine_label_names.txt'), names.join('\n'));
  return { ten, hundred };
}

async function writeTinyImageNet(): Promise<string> {
  const random = new Random(0, 'images');
  const root = join(folder, 'tiny-imagenet');
  const ids = ['n01', 'n02'];
  const image = () =>
    sharp(bytes(64 * 64 * 3, random), { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
  const val = join(root, 'val', 'images');
  await mkdir(val, { recursive: true });
  const annotations: string[] = [];
  for (const id of ids) {
    const images = join(root, 'train', id, 'images');
    await mkdir(images, { recursive: true });
    for (let i = 0; i < 4; i++) await writeFile(join(images, `${id}_${i}.JPEG`), await image());
    await writeFile(join(val, `val_${id}.JPEG`), await image());
    annotations.push(`val_${id}.JPEG\t${id}\t0\t0\t62\t62`);
  }
  await writeFile(join(root, 'wnids.txt'), ids.join('\n'));
  await writeFile(join(root, 'words.txt'), ids.map(id => `${id}\tthing`).join('\n'));
  await writeFile(join(root, 'val', 'val_annotations.txt'), annotations.join('\n'));
  return root;
}

async function writeTexts(): Promise<{ texts: string; squad: string }> {
  const [texts, squad] = [join(folder, 'texts'), join(folder, 'squad')];
  await mkdir(texts);
  await mkdir(squad);
  for (let i = 0; i < 3; i++) {
    const { data } = inventedFacts({ articles: 12, seed: i });
    const prose = data.flatMap(({ paragraphs }) => paragraphs.map(({ context }) => context));
    await writeFile(join(texts, `${i}.txt`), prose.join('\n'));
  }
  await writeFile(join(squad, 'train-v1.1.json'), JSON.stringify(inventedFacts({ articles: 4, seed: 1 })));
  await writeFile(join(squad, 'dev-v1.1.json'), JSON.stringify(inventedFacts({ articles: 2, seed: 2 })));
  return { texts, squad };
}

describe('studies at full scale make steps on made-up data', () => {
  it('CIFAR', async () => {
    const { ten, hundred } = await writeCifar();
    const small = ['provider=cpu', 'batchSize=4', `data=${ten}`];
    const slim = await fewSteps(cifar, 'si-fd-10', [...small, 'width=0.25']);
    const deep = await fewSteps(cifar, 'dense', [...small, 'network=vgg-19', 'width=0.05'], { updates: 1 });
    expect([slim.updates, deep.updates]).toEqual([2, 1]);
    for (const { evaluation } of [slim, deep]) expect(evaluation.loss).toBeGreaterThan(0);
    expect(slim.network.factorized.size).toBeGreaterThan(20);

    const built = async (...changes: string[]) => {
      const { train } = cifar.arms.dense as TrainingArm<never>;
      const values = readSettings(cifar.settings, [...small, ...changes]) as never;
      const { network, data } = await train(values, 0, () => Promise.reject(new Error('needs nothing')));
      return { parameters: network.parameterCount(), classes: data.train.classes?.length };
    };
    expect(await built('network=resnet-56')).toEqual({ parameters: 853_018, classes: 10 });
    expect(await built('network=resnet-110')).toEqual({ parameters: 1_727_962, classes: 10 });
    expect(await built('network=vgg-19', 'classes=100', `data=${hundred}`)).toEqual({
      parameters: 20_086_692,
      classes: 100,
    });
  });

  it('Tiny-ImageNet', async () => {
    const data = await writeTinyImageNet();
    const changes = ['provider=cpu', 'batchSize=4', `data=${data}`, 'width=0.125'];
    const { evaluation, network, updates } = await fewSteps(tinyImageNet, 'si-fd-10', changes);
    expect(updates).toBe(2);
    expect(evaluation.loss).toBeGreaterThan(0);
    expect(network.factorized.size).toBeGreaterThan(10);
  });

  it('BERT, pretrained and asked', async () => {
    const { texts, squad } = await writeTexts();
    const changes = ['provider=cpu', `texts=${texts}`, `squad=${squad}`, 'vocabulary=300', 'features=16'];
    changes.push('depth=1', 'heads=2', 'tokens=256', 'batchSize=4', 'spanBatchSize=4');
    const pretrained = await fewSteps(bertStudy, 'mlm-half-frobenius', changes);
    expect(pretrained.network.parameter('bert.encoder.layer.0.attention.self.query.weight').dims).toEqual([
      8, 16,
    ]);
    // Barely trained: near the loss of a guess among 304 tokens.
    expect(pretrained.figures.mlm_loss! / Math.log(304)).toBeCloseTo(1, 1);
    const asked = await fewSteps(bertStudy, 'half-frobenius', changes, {
      needed: made({ 'mlm-half-frobenius': pretrained as never }),
      updates: 1,
    });
    expect(asked.figures.mlm_loss).toBe(pretrained.figures.mlm_loss);
    expect(asked.figures.span_f1).toBeGreaterThanOrEqual(asked.figures.span_exact!);
    expect(asked.figures.span_f1).toBeLessThanOrEqual(1);
    // The encoder is the one that was pretrained, a step later.
    const name = 'bert.embeddings.word_embeddings.weight';
    const [before, after] = [pretrained, asked].map(({ network }) => network.tensor(name).toFloat32());
    expect(Math.max(...before!.map((x, i) => Math.abs(x - after![i]!)))).toBeLessThan(1e-3);
  });

  /** What an arm trains, as the settings say. */
  async function configured<S extends Settings>(
    study: Study<S>,
    name: string,
    changes: readonly string[] = [],
  ) {
    const arm = study.arms[name] as TrainingArm<never>;
    const values = readSettings(study.settings, changes) as never;
    return arm.train(values, 0, () => Promise.reject(new Error('needs nothing')));
  }

  it('table A–I', async () => {
    const { ten } = await writeCifar();
    const small = ['provider=cpu', 'batchSize=4', `data=${ten}`];
    const tiny = [...small, 'features=16', 'depth=1', 'heads=2', 'headDim=8'];
    expect(Object.values(linearLayers.arms).map(({ label }) => label!.slice(0, 3))).toEqual(
      expect.arrayContaining([...'ABCDEFGHI'].map(letter => `(${letter})`)),
    );
    for (const name of ['half-ffn', 'skl-attention-out', 'sifd-ffn-in', 'dyad-ffn']) {
      const { evaluation, updates, figures } = await fewSteps(linearLayers, name, tiny);
      expect(updates).toBe(2);
      expect(evaluation.loss).toBeGreaterThan(0);
      expect(figures).toEqual({});
    }
    const { network, learningRate, updates, batchSize } = await configured(linearLayers, 'dense', [
      `data=${ten}`,
      'epochs=40000',
    ]);
    expect([network.parameterCount(), batchSize]).toEqual([5_812_538, 1024]);
    const at = (update: number) =>
      toSchedule(learningRate!).at({ update, updates: updates!, updatesPerEpoch: 1 });
    // Five updates of warm-up, then cosines of 295 updates each, the last one whole.
    expect((updates! - 5) % 295).toBe(0);
    expect(at(0)).toBeCloseTo(9.18e-5, 10);
    for (const update of [5, 300, 595]) expect(at(update)).toBeCloseTo(9.18e-4, 10);
    for (const update of [299, 594, updates! - 1]) expect(at(update)).toBeLessThan(1e-6);
    const plain = await configured(linearLayers, 'dense', [`data=${ten}`, 'epochs=40000', 'restart=0']);
    expect(
      toSchedule(plain.learningRate!).at({ update: 600, updates: 1200, updatesPerEpoch: 1 }),
    ).toBeCloseTo(9.18e-4 / 2, 5);
  });

  it('ViT-tiny', async () => {
    const { ten } = await writeCifar();
    const small = ['provider=cpu', 'batchSize=4', `data=${ten}`];
    const tiny = [...small, 'features=16', 'hiddenFeatures=8', 'depth=1', 'heads=2', 'headDim=8'];
    const { evaluation, network } = await fewSteps(vitTinyStudy, 'dyad', tiny);
    expect(evaluation.loss).toBeGreaterThan(0);
    expect((await fewSteps(vitTinyStudy, 'dense', tiny)).updates).toBe(2);
    expect(network.parameterCount()).toBeGreaterThan(0);
    const counts = await Promise.all(
      ['dense', 'dyad'].map(async name => {
        const { network, methods } = await configured(vitTinyStudy, name, small);
        for (const method of methods ?? []) method.prepare?.(network);
        return network.parameterCount();
      }),
    );
    expect(counts).toEqual([4_363_254, 4_366_326]);
  });

  it('every arm of the figure', async () => {
    const { ten } = await writeCifar();
    const small = ['provider=cpu', 'batchSize=4', `data=${ten}`, 'depth=8', 'width=0.5', 'interval=1'];
    expect(Object.keys(sparse.arms)).toEqual(Object.keys(smallSparse.arms));
    for (const name of ['narrow-10', 'rigl-2', 'si-fd-25']) {
      const { evaluation, updates } = await fewSteps(sparse, name, small);
      expect(updates).toBe(2);
      expect(evaluation.loss).toBeGreaterThan(0);
    }
    const dense = await fewSteps(sparse, 'dense', small);
    const pruned = await fewSteps(sparse, 'pruned-10', small, {
      needed: made({ dense: { ...dense, figures: { updates: 2 } } as never }),
    });
    expect(pruned.figures.parameters! / dense.network.parameterCount()).toBeCloseTo(0.1, 2);
    const whole = await configured(sparse, 'dense', [`data=${ten}`]);
    expect(whole).toMatchObject({ epochs: 200, batchSize: 128, weightDecay: 1e-4 });
    expect(whole.session).toEqual({ provider: 'cuda' });
    expect(whole.network.parameterCount()).toBe(1_849_898);
    // 0.8¹¹ is the first power below a tenth: eleven rounds of 95% after a whole one.
    const equal = await configured(sparse, 'lottery-equal-10', [`data=${ten}`]);
    expect(equal.epochs).toBeCloseTo(200 / (1 + 11 * 0.95), 10);
    const ticket = await fewSteps(sparse, 'lottery-10', [...small, 'rate=0.5'], { updates: 12 });
    expect(ticket.figures.parameters! / dense.network.parameterCount()).toBeCloseTo(0.1, 2);
  });

  it('compressed or trained small', async () => {
    const changes = ['provider=cpu', 'batchSize=4', `data=${await writeMoreCifar()}`, 'depth=8', 'width=0.5'];
    expect(Object.keys(postOrScratch.arms)).toEqual(Object.keys(smallPostOrScratch.arms));
    const dense = await fewSteps(postOrScratch, 'dense', changes);
    expect(dense.figures.download).toBeGreaterThan(1000);
    const needed = made({ dense: { ...dense, figures: {} } as never });
    const tuned = await fewSteps(postOrScratch, 'factorized-tuned', changes, { needed });
    expect(tuned.network.parameterCount()).toBeLessThan(0.35 * dense.network.parameterCount());
    const { derive } = postOrScratch.arms['quantized-after'] as DerivingArm<never>;
    const values = readSettings(postOrScratch.settings, changes) as never;
    const { model } = await derive(values, 0, needed);
    expect(encodeToBytes(model).length).toBeLessThan(0.4 * encodeToBytes(dense.model).length);
  });

  it('language models', async () => {
    const changes = ['provider=cpu', 'corpus=moby-dick', 'features=16', 'depth=2', 'fraction=0.5', 'heads=2'];
    changes.push('tokens=16', 'batchSize=2', 'epochs=0.001');
    expect(Object.keys(languageModel.arms)).toEqual(Object.keys(smallLanguageModel.arms));
    const { settings } = languageModel;
    expect(readSettings(settings, [])).toMatchObject({
      corpus: 'both',
      features: 256,
      depth: 8,
      tokens: 256,
    });
    const { evaluation, figures, updates } = await fewSteps(languageModel, 'shared', changes, {
      evaluate: async () => ({ loss: 2, perplexity: 7 }),
    });
    expect(updates).toBe(2);
    expect(evaluation.perplexity).toBeGreaterThan(1);
    expect(figures.compressed_perplexity).toBe(7);
  });
});
