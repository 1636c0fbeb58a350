import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Box, boxIou, countMatches, textBoxes } from '../../examples/ocr/boxes.js';
import evaluateLines, { scoreLines } from '../../examples/ocr/eval.js';
import evaluatePages from '../../examples/ocr/eval-detection.js';
import { decodeLine, lineLabels, linePath } from '../../examples/ocr/lines.js';
import { detectionModel, recognitionModel } from '../../examples/ocr/models.js';
import { pageLabels, pagePath } from '../../examples/ocr/pages.js';
import { asRunner } from '../../src/compress/scores.js';
import {
  checkSample,
  evaluate,
  loadEvalFunction,
  openInputs,
  type Runner,
} from '../../src/data/index.node.js';
import { Tensor } from '../../src/graph/index.js';
import { Random } from '../../src/random/random.js';
import { createSession } from '../../src/runtime/index.js';

let recognition: Runner;
let detection: Runner;
beforeAll(async () => {
  // One thread without spinning: other tests run beside it.
  const open = async (path: string) => asRunner(await createSession(path, { threads: 1, spinning: false }));
  [recognition, detection] = [await open(recognitionModel), await open(detectionModel)];
});

/** The runner on inputs with noise: stands for a model that got worse. */
const worse = (runner: Runner, noise: number): Runner => {
  const random = new Random(1);
  return {
    ...runner,
    run: ({ x }) =>
      runner.run({
        x: Tensor.float32(
          x!.dims,
          x!.toFloat32().map(v => v + noise * random.normal()),
        ),
      }),
  };
};

describe('fixtures', () => {
  it('are gray, labelled, and no text is in both splits', async () => {
    const [calibration, test] = [lineLabels('calibration'), lineLabels('test')];
    expect([calibration.length, test.length]).toEqual([64, 240]);
    expect(new Set([...calibration, ...test].map(label => label.text)).size).toBe(304);
    expect([pageLabels('calibration').length, pageLabels('test').length]).toEqual([16, 16]);
    for (const path of [linePath(test[0]!), pagePath(pageLabels('test')[0]!)]) {
      expect(await sharp(path).metadata()).toMatchObject({ channels: 1, depth: 'uchar' });
    }
    const bytes = [...calibration, ...test].reduce(
      (sum, label) => sum + readFileSync(linePath(label)).length,
      0,
    );
    expect(bytes).toBeLessThan(1.5e6);
  });

  it('calibrate both models, loaded as a user file is', async () => {
    const file = fileURLToPath(new URL('../../examples/ocr/calibration.ts', import.meta.url));
    for (const [runner, length] of [
      [recognition, 64],
      [detection, 16],
    ] as const) {
      const source = await openInputs(file, runner.inputs);
      expect(source.length).toBe(length);
      for (const i of [0, length - 1]) checkSample(await source.sample!(i), runner.inputs);
    }
  });
});

describe('eval files', () => {
  it.each(['eval.ts', 'eval-detection.ts'])('%s loads as a user file is', async name => {
    const file = fileURLToPath(new URL(`../../examples/ocr/${name}`, import.meta.url));
    expect(await loadEvalFunction(file)).toBeTypeOf('function');
  });
});

describe('decodeLine', () => {
  it('merges repeats, drops blanks, and knows the space', () => {
    const classes = [0, 5, 5, 0, 5, 6624, 6];
    const data = new Float32Array(classes.length * 6625);
    for (const [step, c] of classes.entries()) data[step * 6625 + c] = 1;
    const text = decodeLine(Tensor.float32([1, classes.length, 6625], data));
    expect(text).toHaveLength(4);
    expect(text[0]).toBe(text[1]);
    expect(text[2]).toBe(' ');
  });
});

describe('evaluate', () => {
  it('reads the test lines with room for better and worse, and sees a worse model', async () => {
    const original = await evaluate(evaluateLines, recognition, { reference: recognition });
    const value = (report: typeof original, name: string) => report.scores.get(name)!.value;
    expect(value(original, 'exact')).toBeGreaterThan(70);
    expect(value(original, 'exact')).toBeLessThan(85);
    expect(value(original, 'cer')).toBeLessThan(10);
    expect(value(original, 'same')).toBe(100);
    expect(original.samples).toHaveLength(240);
    const few = scoreLines(lineLabels('test').slice(0, 40));
    const before = await evaluate(few, recognition, { reference: recognition });
    const noisy = await evaluate(few, worse(recognition, 0.3), { reference: recognition });
    expect(value(noisy, 'exact')).toBeLessThan(value(before, 'exact'));
    expect(value(noisy, 'cer')).toBeGreaterThan(value(before, 'cer'));
    expect(value(noisy, 'same')).toBeLessThan(100);
  });

  it('finds the lines of the test pages, and sees a worse model', async () => {
    const original = await evaluate(evaluatePages, detection, { reference: detection });
    expect(original.scores.get('iou')!.value).toBe(100);
    expect(original.scores.get('hmean')!.value).toBeGreaterThan(75);
    expect(original.scores.get('hmean')!.value).toBeLessThan(95);
    const noisy = await evaluate(evaluatePages, worse(detection, 0.3), { reference: detection });
    expect(noisy.scores.get('iou')!.value).toBeLessThan(99);
    expect(noisy.scores.get('hmean')!.value).toBeLessThan(original.scores.get('hmean')!.value);
  });

  it('brings results into one form and refuses none', async () => {
    const run = (result: unknown) =>
      evaluate(() => result as { a: number }, recognition, { reference: recognition });
    expect((await run({ a: 1 })).scores.get('a')).toMatchObject({
      value: 1,
      betterIs: 'higher',
      format: 'number',
    });
    expect((await run({ scores: { a: { value: 2, betterIs: 'lower' } } })).scores.get('a')).toMatchObject({
      value: 2,
      betterIs: 'lower',
    });
    await expect(run({})).rejects.toThrow(/no scores/);
    await expect(run(undefined)).rejects.toThrow(/no scores/);
    await expect(run({ a: Number.NaN })).rejects.toThrow(/"a" is NaN/);
  });
});

describe('boxes', () => {
  const box = fc
    .tuple(fc.nat(20), fc.nat(20), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }))
    .map(([x, y, w, h]): Box => [x, y, x + w, y + h]);

  it('overlap as much as their pixels do', () => {
    const inside = ([l, t, r, b]: Box, x: number, y: number) => x >= l && x < r && y >= t && y < b;
    fc.assert(
      fc.property(box, box, (a, b) => {
        let [both, either] = [0, 0];
        for (let y = 0; y < 40; y++) {
          for (let x = 0; x < 40; x++) {
            both += Number(inside(a, x, y) && inside(b, x, y));
            either += Number(inside(a, x, y) || inside(b, x, y));
          }
        }
        expect(boxIou(a, b)).toBeCloseTo(both / either, 12);
      }),
    );
  });

  it('match one to one', () => {
    fc.assert(
      fc.property(fc.array(box, { maxLength: 6 }), found => {
        expect(countMatches(found, found)).toBe(found.length);
        expect(countMatches([...found, ...found], found)).toBe(found.length);
      }),
    );
  });

  it('are found in a mask and grown', () => {
    const data = new Uint8Array(20 * 12);
    for (let y = 4; y < 8; y++) data.fill(1, y * 20 + 5, y * 20 + 15);
    // 40 pixels, perimeter 28: grown by 40 · 1.4 / 28 = 2.
    expect(textBoxes({ width: 20, height: 12, data }, 1.4)).toEqual([[3, 2, 17, 10]]);
  });
});
