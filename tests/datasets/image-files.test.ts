import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { loadImageFolder } from '../../src/datasets/image-files.node.js';
import { loadTinyImageNet } from '../../src/datasets/tiny-imagenet.node.js';

async function image(path: string, [r, g, b]: readonly [number, number, number], size = 8): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  await sharp({ create: { width: size, height: size, channels: 3, background: { r, g, b } } }).toFile(path);
}

const temporary = (): string => mkdtempSync(join(tmpdir(), 'whittle-images-'));

describe('image folders', () => {
  it('have a class for each folder, in the order of their names', async () => {
    const folder = temporary();
    await image(join(folder, 'dog', '2.png'), [255, 0, 0]);
    await image(join(folder, 'dog', '1.png'), [0, 255, 0]);
    await image(join(folder, 'cat', 'a.png'), [0, 0, 255]);
    writeFileSync(join(folder, 'dog', 'notes.txt'), '');
    writeFileSync(join(folder, 'README'), '');
    const data = loadImageFolder(folder, { size: 4, normalization: { mean: [0, 0, 0], std: [1, 1, 0.5] } });
    expect(data.classes).toEqual(['cat', 'dog']);
    expect(data.length).toBe(3);
    const { pixel_values, labels } = await data.batch([2, 0]);
    expect(labels!.toNumbers()).toEqual([1, 0]);
    expect(pixel_values!.dims).toEqual([2, 3, 4, 4]);
    const plane = (i: number) => [...new Set(pixel_values!.toFloat32().subarray(i * 16, i * 16 + 16))];
    expect([0, 1, 2, 3, 4, 5].map(plane)).toEqual([[1], [0], [0], [0], [0], [2]]);
  });

  it('give gray images where asked', async () => {
    const folder = temporary();
    await image(join(folder, 'a', '1.png'), [128, 128, 128]);
    const { pixel_values } = await loadImageFolder(folder, { size: 2, channels: 'gray' }).batch([0]);
    expect(pixel_values!.dims).toEqual([1, 1, 2, 2]);
    expect(pixel_values!.toFloat32()[0]).toBeCloseTo((128 / 255 - 0.5) / 0.5, 5);
  });

  it('are decoded without JavaScript once they are asked for, as long as a step may hold its thread', async () => {
    const folder = temporary();
    await image(join(folder, 'a', '1.png'), [0, 0, 0]);
    await image(join(folder, 'a', '2.png'), [0, 0, 0]);
    const asked = loadImageFolder(folder, { size: 4 }).batch([0, 1, 1]);
    const { queue, process } = sharp.counters();
    expect(queue + process).toBe(3);
    await asked;
  });

  it('name what is missing or broken', async () => {
    const folder = temporary();
    expect(() => loadImageFolder(folder, { size: 4 })).toThrow(/no folders of images/);
    expect(() => loadImageFolder(join(folder, 'nowhere'), { size: 4 })).toThrow(/cannot be read/);
    mkdirSync(join(folder, 'a'));
    expect(() => loadImageFolder(folder, { size: 4 })).toThrow(/no images/);
    writeFileSync(join(folder, 'a', 'broken.png'), 'no image');
    await expect(loadImageFolder(folder, { size: 4 }).batch([0])).rejects.toThrow(/broken\.png/);
  });
});

describe('Tiny-ImageNet', () => {
  it('is read in its own layout', async () => {
    const folder = temporary();
    writeFileSync(join(folder, 'wnids.txt'), 'n02\nn01\n');
    writeFileSync(
      join(folder, 'words.txt'),
      'n01\tgoldfish, Carassius auratus\nn02\tbullfrog\nn03\tunused\n',
    );
    await image(join(folder, 'train', 'n01', 'images', 'n01_0.JPEG'), [200, 0, 0], 64);
    await image(join(folder, 'train', 'n02', 'images', 'n02_0.JPEG'), [0, 200, 0], 64);
    await image(join(folder, 'val', 'images', 'val_0.JPEG'), [0, 200, 0], 64);
    const annotations = join(folder, 'val', 'val_annotations.txt');
    writeFileSync(annotations, 'val_0.JPEG\tn02\t0\t0\t63\t63\n');

    const train = loadTinyImageNet(folder, 'train');
    expect(train.classes).toEqual(['goldfish', 'bullfrog']);
    expect((await train.batch([0, 1])).labels!.toNumbers()).toEqual([0, 1]);
    expect(train.fields.pixel_values.shape).toEqual([3, 64, 64]);
    const val = await loadTinyImageNet(folder, 'val').batch([0]);
    expect(val.labels!.toNumbers()).toEqual([1]);

    for (const line of ['../../secret.JPEG\tn02', 'val_0.JPEG\tn09', 'val_1.JPEG\tn01']) {
      writeFileSync(annotations, `${line}\t0\t0\t63\t63\n`);
      expect(() => loadTinyImageNet(folder, 'val')).toThrow(/is not there.*val_annotations/);
    }
    expect(() => loadTinyImageNet(temporary(), 'train')).toThrow(/wnids\.txt.*Unpack/);
  });
});
