import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gunzip } from '../../src/datasets/gunzip.js';
import { readIdx } from '../../src/datasets/idx.js';
import { mnist } from '../../src/datasets/mnist.js';
import { loadFashionMnist, loadMnist } from '../../src/datasets/mnist.node.js';
import { Random } from '../../src/random/random.js';

/** An idx file of unsigned bytes. */
function idx(dims: readonly number[], data: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dims.length + data.length);
  bytes.set([0, 0, 8, dims.length]);
  const view = new DataView(bytes.buffer);
  for (const [i, dim] of dims.entries()) view.setUint32(4 + 4 * i, dim);
  bytes.set(Array.from(data), 4 + 4 * dims.length);
  return bytes;
}

const IMAGES = idx(
  [3, 2, 2],
  [0, 255, 51, 102].flatMap(v => [v, v, v]),
);
const LABELS = idx([3], [2, 0, 9]);

describe('idx files', () => {
  it('hold big-endian numbers of several types', () => {
    const floats = new Uint8Array([0, 0, 13, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]);
    expect(readIdx(floats).toNumbers()).toEqual([1, -2]);
    const shorts = new Uint8Array([0, 0, 11, 1, 0, 0, 0, 2, 1, 0, 0xff, 0xff]);
    expect(readIdx(shorts).toNumbers()).toEqual([256, -1]);
    expect(shorts[8]).toBe(1);
  });

  it('read the same packed and unpacked', () => {
    const tensor = readIdx(gzipSync(IMAGES));
    expect(tensor.dims).toEqual([3, 2, 2]);
    expect(tensor.bytes()).toEqual(readIdx(IMAGES).bytes());
  });

  it('refuse what is damaged, whatever the damage', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: IMAGES.length - 1 }), length => {
        expect(() => readIdx(IMAGES.slice(0, length), 'cut')).toThrow(/idx.*\(file cut\)/);
      }),
    );
    const random = new Random(1);
    const content = Buffer.from(Array.from({ length: 500 }, () => random.integer(16)));
    const packed = gzipSync(content);
    expect(() => gunzip(packed.subarray(0, packed.length - 12), 1000)).toThrow(/cut off|broken/);
    expect(() => gunzip(packed, 499)).toThrow(/more than 499/);
    // A flipped bit is noticed, or one of those that do not matter (flags, padding after the last code).
    let noticed = 0;
    for (let bit = 0; bit < 8 * packed.length; bit += 3) {
      const flipped = Buffer.from(packed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        expect(Buffer.compare(gunzip(flipped, 1000), bit < 16 ? flipped : content)).toBe(0);
      } catch (error) {
        expect(String(error)).toMatch(/broken|cut off|checksum|more than/);
        noticed++;
      }
    }
    expect(noticed / ((8 * packed.length) / 3)).toBeGreaterThan(0.9);
    const members = Buffer.concat([gzipSync(IMAGES.slice(0, 9)), gzipSync(IMAGES.slice(9))]);
    expect(gunzip(members, 1000)).toEqual(IMAGES);
    expect(() => readIdx(idx([2 ** 32 - 1, 2 ** 32 - 1], []))).toThrow(/the file has 12/);
  });
});

describe('MNIST', () => {
  it('gives normalized images and labels in the order asked for', async () => {
    const data = mnist(IMAGES, LABELS, { normalization: { mean: [0.5], std: [0.25] } });
    expect(data.length).toBe(3);
    const { pixel_values, labels } = await data.batch([2, 0]);
    expect(pixel_values!.dims).toEqual([2, 1, 2, 2]);
    const [dark, middle] = [-2, (102 / 255 - 0.5) / 0.25];
    const expected = [(51 / 255 - 0.5) / 0.25, middle, middle, middle, dark, dark, dark, 2].map(Math.fround);
    expect([...pixel_values!.toFloat32()]).toEqual(expected);
    expect(labels!.toNumbers()).toEqual([9, 2]);
  });

  it('refuses files that do not belong together, labels out of range, and examples that do not exist', async () => {
    expect(() => mnist(IMAGES, idx([2], [0, 1]))).toThrow(/do not belong together/);
    expect(() => mnist(LABELS, IMAGES)).toThrow(/do not belong together/);
    expect(() => mnist(IMAGES, idx([3], [0, 1, 10]))).toThrow(/label 10 of example 2/);
    await expect(mnist(IMAGES, LABELS).batch([3])).rejects.toThrow(/examples 0 to 2, not 3/);
  });

  it('loads from a folder, packed or not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'whittle-mnist-'));
    writeFileSync(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(IMAGES));
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), LABELS);
    expect((await loadMnist(folder, 'train').batch([1])).labels!.toNumbers()).toEqual([0]);
    expect(loadFashionMnist(folder, 'train').classes[9]).toBe('Ankle boot');
    writeFileSync(join(folder, 't10k-images-idx3-ubyte.gz'), gzipSync(IMAGES).subarray(0, 30));
    writeFileSync(join(folder, 't10k-labels-idx1-ubyte.gz'), gzipSync(LABELS));
    expect(() => loadMnist(folder, 'test')).toThrow(/cannot be unpacked.*t10k-images/);
    rmSync(join(folder, 't10k-images-idx3-ubyte.gz'));
    expect(() => loadMnist(folder, 'test')).toThrow(/t10k-images-idx3-ubyte.*apt install/);
  });
});
