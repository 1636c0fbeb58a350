import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cifar10, cifar100 } from '../../src/datasets/cifar.js';
import { loadCifar10, loadCifar100 } from '../../src/datasets/cifar.node.js';

/** Records of labels and pixels; the pixels are constant in each plane: r, g, b. */
const records = (...list: readonly { labels: number[]; colour: [number, number, number] }[]): Uint8Array =>
  Buffer.concat(
    list.map(({ labels, colour }) => Buffer.from([...labels, ...colour.flatMap(c => Array(1024).fill(c))])),
  );

describe('CIFAR', () => {
  it('10: records of a label and three planes', async () => {
    const first = { bytes: records({ labels: [3], colour: [0, 255, 51] }) };
    const second = { bytes: records({ labels: [9], colour: [1, 2, 3] }, { labels: [0], colour: [7, 8, 9] }) };
    const data = cifar10([first, second]);
    expect(data.length).toBe(3);
    expect([...data.labels].map(label => data.classes[label])).toEqual(['cat', 'truck', 'airplane']);
    const { pixel_values } = await data.batch([0]);
    const values = pixel_values!.toFloat32();
    expect(pixel_values!.dims).toEqual([1, 3, 32, 32]);
    expect(values[0]).toBeCloseTo(-0.4914 / 0.247, 5);
    expect(values[1024]).toBeCloseTo((1 - 0.4822) / 0.2435, 5);
    expect(values[3071]).toBeCloseTo((0.2 - 0.4465) / 0.2616, 5);
    expect([...data.pixels.subarray(2 * 3072, 2 * 3072 + 2)]).toEqual([7, 7]);
  });

  it('100: a coarse label before the fine one', () => {
    const files = [{ bytes: records({ labels: [19, 99], colour: [0, 0, 0] }) }];
    expect([...cifar100(files).labels]).toEqual([99]);
    expect([...cifar100(files, 'coarse').labels]).toEqual([19]);
    expect(cifar100(files).classes).toHaveLength(100);
  });

  it('refuses files that are cut off, and labels out of range', () => {
    const bytes = records({ labels: [1], colour: [0, 0, 0] });
    expect(() => cifar10([{ bytes: bytes.subarray(1), file: 'data_batch_1.bin' }])).toThrow(
      /3072 bytes are not a whole number of records of 3073 \(file data_batch_1.bin\)/,
    );
    expect(() => cifar10([{ bytes: new Uint8Array(0) }])).toThrow(/0 bytes/);
    expect(() => cifar10([{ bytes: records({ labels: [10], colour: [0, 0, 0] }) }])).toThrow(/label 10/);
  });

  it('loads from the folders as they are published', () => {
    const folder = mkdtempSync(join(tmpdir(), 'whittle-cifar-'));
    for (let i = 1; i <= 5; i++) {
      writeFileSync(join(folder, `data_batch_${i}.bin`), records({ labels: [i], colour: [i, i, i] }));
    }
    expect([...loadCifar10(folder, 'train').labels]).toEqual([1, 2, 3, 4, 5]);
    expect(() => loadCifar10(folder, 'test')).toThrow(/test_batch.bin.*cs\.toronto\.edu/);
    writeFileSync(join(folder, 'test.bin'), records({ labels: [1, 2], colour: [0, 0, 0] }));
    writeFileSync(join(folder, 'fine_label_names.txt'), 'apple\naquarium_fish\nbaby\n');
    const data = loadCifar100(folder, 'test');
    expect(data.classes[data.labels[0]!]).toBe('baby');
  });
});
