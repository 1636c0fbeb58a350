import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageArray } from '../../src/datasets/index.js';
import { Tensor } from '../../src/graph/tensor.js';
import { Random } from '../../src/random/random.js';
import { cutout, Loader, mixup, randomCrop, randomFlip } from '../../src/train/data/index.js';

const [channels, height, width] = [2, 5, 6];

/** Images whose pixels are all different. */
const images = (count: number) => ({
  pixel_values: Tensor.float32(
    [count, channels, height, width],
    Float32Array.from({ length: count * channels * height * width }, (_, i) => i + 1),
  ),
  labels: Tensor.int64(Array.from({ length: count }, (_, i) => i % 3)),
});

const at = (tensor: Tensor, i: number, c: number, y: number, x: number): number =>
  tensor.toFloat32()[((i * channels + c) * height + y) * width + x]!;

function dataset(length: number): ImageArray {
  return new ImageArray({
    pixels: Uint8Array.from({ length: length * 12 }, (_, i) => (31 * i) % 256),
    labels: Array.from({ length }, (_, i) => i % 3),
    shape: [1, 3, 4],
    normalization: { mean: [0.5], std: [0.25] },
    classes: ['a', 'b', 'c'],
  });
}

const seeds = fc.integer({ min: 0, max: 1e6 });

describe('augmentation', () => {
  it('a crop is the image shifted, with the fill around it', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 7 }), (seed, padding) => {
        const batch = images(2);
        const { pixel_values: moved } = randomCrop({ padding, fill: [-1, -2] })(batch, new Random(seed));
        const draw = new Random(seed);
        for (let i = 0; i < 2; i++) {
          const down = draw.integer(2 * padding + 1) - padding;
          const right = draw.integer(2 * padding + 1) - padding;
          for (let c = 0; c < channels; c++) {
            for (let y = 0; y < height; y++) {
              for (let x = 0; x < width; x++) {
                const inside = y + down >= 0 && y + down < height && x + right >= 0 && x + right < width;
                const expected = inside ? at(batch.pixel_values, i, c, y + down, x + right) : -1 - c;
                expect(at(moved!, i, c, y, x)).toBe(expected);
              }
            }
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('a flip mirrors each image or leaves it', () => {
    fc.assert(
      fc.property(seeds, seed => {
        const batch = images(8);
        const { pixel_values: moved } = randomFlip()(batch, new Random(seed));
        for (let i = 0; i < 8; i++) {
          const mirrored = at(moved!, i, 0, 0, 0) !== at(batch.pixel_values, i, 0, 0, 0);
          for (let y = 0; y < height; y++) {
            for (let x = 0; x < width; x++) {
              const source = mirrored ? width - 1 - x : x;
              expect(at(moved!, i, 1, y, x)).toBe(at(batch.pixel_values, i, 1, y, source));
            }
          }
        }
      }),
      { numRuns: 20 },
    );
    const all = randomFlip({ probability: 1 });
    const batch = images(3);
    expect(all(all(batch, new Random(0)), new Random(0))).toEqual(batch);
    expect(randomFlip({ probability: 0 })(batch, new Random(0))).toEqual(batch);
  });

  it('a cut-out blanks one rectangle of at most its size, the same in all channels', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 4 }), (seed, size) => {
        const { pixel_values: cut } = cutout({ size })(images(1), new Random(seed));
        const blank: [number, number][] = [];
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            expect(at(cut!, 0, 0, y, x) === 0).toBe(at(cut!, 0, 1, y, x) === 0);
            if (at(cut!, 0, 0, y, x) === 0) blank.push([y, x]);
          }
        }
        const span = (axis: 0 | 1) => {
          const places = blank.map(place => place[axis]);
          return Math.max(...places) - Math.min(...places) + 1;
        };
        expect(blank.length).toBe(span(0) * span(1));
        expect(Math.max(span(0), span(1))).toBeLessThanOrEqual(size);
      }),
      { numRuns: 50 },
    );
  });

  it('mixup mixes images and labels by the same share, which is Beta distributed', () => {
    const shares: number[] = [];
    for (let seed = 0; seed < 400; seed++) {
      const batch = images(3);
      const { pixel_values: mixed, labels } = mixup({ classes: 3, alpha: 0.4 })(batch, new Random(seed));
      expect(labels!.dims).toEqual([3, 3]);
      const first = labels!.toFloat32().slice(0, 3);
      expect(first.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      // Pixel 0 of image i is 60i + 1: its mean under the label probabilities is the mixed pixel.
      const expected = first.reduce((sum, p, i) => sum + p * (60 * i + 1), 0);
      expect(at(mixed!, 0, 0, 0, 0)).toBeCloseTo(expected, 3);
      if (first[0]! < 1) shares.push(first[0]!);
    }
    const mean = shares.reduce((a, b) => a + b) / shares.length;
    const variance = shares.reduce((sum, s) => sum + (s - mean) ** 2, 0) / shares.length;
    // Beta(α, α) has mean 1/2 and variance 1/(4(2α + 1)); about 267 draws.
    expect(mean).toBeGreaterThan(0.42);
    expect(mean).toBeLessThan(0.58);
    expect(variance).toBeGreaterThan(0.11);
    expect(variance).toBeLessThan(0.165);
  });

  it('leaves the batch as it was', () => {
    const transforms = [randomCrop(), randomFlip(), cutout({ size: 3 }), mixup({ classes: 3 })];
    const batch = images(4);
    for (const transform of transforms) {
      transform(batch, new Random(3));
      expect(batch).toEqual(images(4));
    }
  });

  it('names what it cannot work on', () => {
    const batch = { x: Tensor.float32([2, 3], new Float32Array(6)), labels: Tensor.int64([0, 7]) };
    expect(() => randomFlip()(batch, new Random(0))).toThrow(/no images; it holds x, labels/);
    expect(() => randomCrop({ field: 'x' })(batch, new Random(0))).toThrow(/not float32 \[2, 3\]/);
    expect(() => mixup({ classes: 3, fields: [] })(batch, new Random(0))).toThrow(/label 7 of example 1/);
    const labelled = { ...batch, labels: Tensor.int64([0, 1]) };
    expect(() => mixup({ classes: 3 })(labelled, new Random(0))).toThrow(
      /no field to mix; the batch holds x, labels.*"pixel_values".*fields: \['input'\]/s,
    );
    const ids = { ...labelled, ids: Tensor.int64([3, 4]) };
    expect(() => mixup({ classes: 3, fields: ['ids'] })(ids, new Random(0))).toThrow(/float32.*int64/);
    expect(() => mixup({ classes: 3, alpha: -1 })).toThrow(/alpha of mixup must be a positive number/);
  });
});

describe('a loader', () => {
  const transforms = [randomCrop({ padding: 1 }), randomFlip()];
  const options = { batchSize: 3, seed: 7, transforms };

  it('continues from any state with the same batches, whatever was prefetched', async () => {
    for (const prefetch of [0, 2, 5]) {
      const whole = new Loader(dataset(10), { ...options, prefetch });
      const expected = [];
      for (let i = 0; i < 12; i++)
        expected.push({ state: whole.state, batch: await whole.next(), epoch: whole.epoch });
      for (const stop of [0, 1, 3, 7]) {
        const resumed = new Loader(dataset(10), { ...options, prefetch: 1 });
        resumed.restore(JSON.parse(JSON.stringify(expected[stop]!.state)));
        for (let i = stop; i < 12; i++) {
          expect(await resumed.next()).toEqual(expected[i]!.batch);
          expect(resumed.epoch).toBe(expected[i]!.epoch);
        }
      }
    }
  });

  it('augments the same example differently in each epoch', async () => {
    const loader = new Loader(dataset(3), options);
    const batches = [];
    for (let i = 0; i < 4; i++) batches.push((await loader.next()).pixel_values!.toFloat32().join());
    expect(new Set(batches).size).toBe(4);
    expect(loader.batchesPerEpoch).toBe(1);
  });

  it('refuses an empty data set and one that does not fill a batch', () => {
    expect(() => new Loader(dataset(0), options)).toThrow(/empty/);
    expect(() => new Loader(dataset(2), options)).toThrow(/2 examples do not fill a batch of 3/);
  });

  it.each([-1, 0.5, Number.NaN])('does not ask for %s batches ahead', prefetch => {
    expect(() => new Loader(dataset(10), { batchSize: 2, prefetch })).toThrow(
      /prefetch is a number of batches/,
    );
  });

  it('fails where the batch is taken, not before', async () => {
    const broken = {
      ...dataset(9),
      fields: {},
      length: 9,
      batch: () => Promise.reject(new Error('unreadable')),
    };
    const loader = new Loader(broken, { batchSize: 3 });
    await expect(loader.next()).rejects.toThrow('unreadable');
    await new Promise(resolve => setTimeout(resolve, 5));
    await expect(loader.next()).rejects.toThrow('unreadable');
  });
});
