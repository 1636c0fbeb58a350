import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import bertStudy from '../../docs/studies/full-scale/bert/study.js';
import cifar from '../../docs/studies/full-scale/cifar/study.js';
import tinyImageNet from '../../docs/studies/full-scale/tiny-imagenet/study.js';
import { inventedFacts } from '../../src/datasets/invented-facts.js';
import { Random } from '../../src/random/random.js';
import type { TrainingArm } from '../../src/study/define.js';
import { readSettings } from '../../src/train/index.js';
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

/** Files of the binary version, eight images each. */
async function writeCifar(): Promise<{ ten: string; hundred: string }> {
  const random = new Random(0, 'images');
  const [ten, hundred] = [join(folder, 'cifar-10'), join(folder, 'cifar-100')];
  await mkdir(ten);
  await mkdir(hundred);
  const records = (labels: (i: number) => number[]) =>
    Buffer.concat(Array.from({ length: 8 }, (_, i) => Buffer.from([...labels(i), ...bytes(3072, random)])));
  for (const name of [1, 2, 3, 4, 5].map(i => `data_batch_${i}`).concat('test_batch')) {
    await writeFile(
      join(ten, `${name}.bin`),
      records(i => [i]),
    );
  }
  for (const name of ['train', 'test'])
    await writeFile(
      join(hundred, `${name}.bin`),
      records(i => [i, 9 * i]),
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
});
