import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Signature } from '../../src/data/index.js';
import {
  type ImageOptions,
  inferImageSpec,
  parseImageOptions,
  planImage,
  readImage,
} from '../../src/data/index.node.js';

const input = (shape: (number | string | null)[], dtype: 'float32' | 'uint8' = 'float32'): Signature => [
  { name: 'x', dtype, shape },
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** An RGB image from a function of the pixel, as a PNG file. */
async function draw(name: string, width: number, height: number, color: (x: number, y: number) => number[]) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return color(pixel % width, Math.floor(pixel / width))[i % 3]!;
  });
  const path = join(folder, name);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(path);
  return path;
}

describe('inferImageSpec', () => {
  const spec = (shape: (number | string | null)[], options?: ImageOptions) =>
    inferImageSpec(input(shape), options).spec;

  it('reads layout, channels and size from the signature', () => {
    expect(spec(['n', 3, 224, 224])).toMatchObject({
      layout: 'nchw',
      channels: 'rgb',
      height: 224,
      width: 224,
    });
    expect(spec([null, 32, 40, 1])).toMatchObject({
      layout: 'nhwc',
      channels: 'gray',
      height: 32,
      width: 40,
    });
    expect(spec([3, 'h', 48])).toMatchObject({ layout: 'chw', height: undefined, width: 48 });
  });

  it('says what it assumed, and nothing that it was told', () => {
    const open = inferImageSpec(input(['n', 3, 'h', 'w']));
    expect(open.assumptions.join('; ')).toBe(
      'channels in the order rgb; normalised with mean 0.485/0.456/0.406 and std 0.229/0.224/0.225 on pixels in 0 … 1; open sides follow the image up to 640 pixels, padded to a multiple of 32',
    );
    const told = parseImageOptions('channels=bgr,mean=0.5,std=0.5,fit=pad');
    expect(inferImageSpec(input(['n', 3, 8, 8]), told).assumptions).toEqual([]);
  });

  it('refuses what is no image input', () => {
    expect(() => spec([1, 7, 9, 5])).toThrow(/\[1, 7, 9, 5\] does not look like an image/);
    expect(() => inferImageSpec([...input([1, 3, 8, 8]), ...input([1])])).toThrow(/has 2/);
    expect(() => spec([1, 3, 8, 8], { height: 9 })).toThrow(/height 9 does not fit the model, which takes 8/);
    expect(() => spec([1, 1, 8, 8], { channels: 'rgb' })).toThrow(/takes 1 channel/);
    expect(() => parseImageOptions('mean=a')).toThrow(/"mean=a" is not understood.*channels=rgb\|bgr\|gray/);
  });
});

describe('planImage', () => {
  it('keeps the aspect ratio and pads open sides', () => {
    const { spec } = inferImageSpec(input(['n', 3, 48, 'w']));
    expect(planImage(spec, 100, 24)).toEqual({ resize: { width: 200, height: 48 }, width: 224, height: 48 });
    const open = inferImageSpec(input(['n', 3, 'h', 'w']), { maxSide: 100 }).spec;
    expect(planImage(open, 400, 200)).toEqual({ resize: { width: 100, height: 50 }, width: 128, height: 64 });
    const pad = inferImageSpec(input(['n', 3, 50, 50]), { fit: 'pad' }).spec;
    expect(planImage(pad, 200, 100)).toEqual({ resize: { width: 50, height: 25 }, width: 50, height: 50 });
  });
});

describe('readImage', () => {
  const color = (x: number, y: number) => [x * 10, y * 20, 200];

  it('normalises every pixel as the formula says, in each layout and order', async () => {
    const path = await draw('colors.png', 4, 2, color);
    for (const layout of ['nchw', 'nhwc'] as const) {
      for (const channels of ['rgb', 'bgr'] as const) {
        const shape = layout === 'nchw' ? [1, 3, 2, 4] : [1, 2, 4, 3];
        const mean = [0.1, 0.2, 0.3];
        const std = [0.5, 0.6, 0.7];
        const { spec } = inferImageSpec(input(shape), { channels, mean, std });
        const tensor = await readImage(path, spec);
        expect(tensor.dims).toEqual(shape);
        const values = tensor.toFloat32();
        for (let y = 0; y < 2; y++) {
          for (let x = 0; x < 4; x++) {
            for (let c = 0; c < 3; c++) {
              const pixel = color(x, y)[channels === 'rgb' ? c : 2 - c]!;
              const at = layout === 'nchw' ? (c * 2 + y) * 4 + x : (y * 4 + x) * 3 + c;
              expect(values[at]).toBeCloseTo((pixel / 255 - mean[c]!) / std[c]!, 5);
            }
          }
        }
      }
    }
  });

  it('gives bytes to a model that takes bytes, and 0 where it pads', async () => {
    const path = await draw('bytes.png', 4, 2, color);
    const { spec } = inferImageSpec(input([1, 3, 4, 4], 'uint8'), { fit: 'pad' });
    const tensor = await readImage(path, spec);
    expect(tensor.toNumbers().slice(0, 16)).toEqual([0, 10, 20, 30, 0, 10, 20, 30, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('turns photographs upright and puts transparent ones on white', async () => {
    const wide = await sharp(await draw('wide.png', 8, 4, color))
      .jpeg()
      .withMetadata({ orientation: 6 })
      .toBuffer();
    await writeFile(join(folder, 'turned.jpg'), wide);
    const { spec } = inferImageSpec(input(['n', 3, 'h', 'w']), { multipleOf: 1 });
    expect((await readImage(join(folder, 'turned.jpg'), spec)).dims).toEqual([1, 3, 8, 4]);
    const clear = join(folder, 'clear.png');
    await sharp({ create: { width: 2, height: 2, channels: 4, background: '#0000' } })
      .png()
      .toFile(clear);
    const raw = inferImageSpec(input([1, 3, 2, 2], 'uint8')).spec;
    expect(new Set((await readImage(clear, raw)).toNumbers())).toEqual(new Set([255]));
  });

  it('names the file that is no image', async () => {
    const path = join(folder, 'broken.png');
    await writeFile(path, 'not a picture');
    const { spec } = inferImageSpec(input([1, 3, 2, 2]));
    await expect(readImage(path, spec)).rejects.toThrow(/cannot read the image.*broken\.png/);
  });
});
