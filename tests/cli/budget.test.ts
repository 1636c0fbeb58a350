import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inFolder, whittle } from './capture.js';

const FAST = ['--samples', '6', '--threads', '1', '--no-cache'];

describe('whittle compress with a budget', () => {
  it('keeps a size and says that it does', () =>
    inFolder(async (folder, model) => {
      const out = join(folder, 'small.onnx');
      const {
        code,
        out: text,
        err,
      } = await whittle(['compress', model, '-o', out, '--max-size', '30%', ...FAST]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(statSync(out).size).toBeLessThanOrEqual(0.3 * statSync(model).size);
      expect(text).toMatch(/Budget +size ≤ 30%: .*, holds/);
      const page = await readFile(`${out}.html`, 'utf8');
      expect(page).toContain('<h2>Budget</h2>');
      expect(page).toContain('Singular values');
      // Loading was measured in processes of their own.
      expect(page).toContain('fresh processes');
    }));

  it('that does not hold writes the nearest and exits with 3', () =>
    inFolder(async (folder, model) => {
      const out = join(folder, 'small.onnx');
      const { code, out: text } = await whittle([
        'compress',
        model,
        '-o',
        out,
        '--max-size',
        '12%',
        '--min-quality',
        'cosine=0.999999',
        '--no-report',
        ...FAST,
      ]);
      expect(code).toBe(3);
      expect(existsSync(out)).toBe(true);
      expect(text).toMatch(/cosine=0.999999: .*, does not hold/);
      expect(text).toMatch(/that takes [\d,]+ bytes/);
      expect(text).toMatch(/The budget does not hold:\s+cosine=0.999999/);
    }));

  it('--figure draws the front as a picture that stands by itself', () =>
    inFolder(async (folder, model) => {
      const figure = join(folder, 'front.svg');
      const { code, err } = await whittle(['compress', model, '--dry-run', '--figure', figure, ...FAST]);
      expect({ code, says: err.includes('--pareto') }).toEqual({ code: 2, says: true });
      await whittle(['compress', model, '--dry-run', '--pareto', '--figure', figure, ...FAST]);
      const picture = await readFile(figure, 'utf8');
      expect(picture).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
      expect(picture).toContain('prefers-color-scheme: dark');
      // A curve for the mix and one for each method alone, each named.
      expect(picture.match(/<path class="line/g)!.length).toBe(
        2 * (picture.match(/ alone<\/text>/g)!.length + 1),
      );
      expect(picture).not.toContain('undefined');
    }));

  it('--pareto prints the front; --dry-run with --report writes the page alone', () =>
    inFolder(async (folder, model) => {
      const page = join(folder, 'front.html');
      const args = ['compress', model, '--dry-run', '--pareto', '--report', page, ...FAST];
      const { code, out } = await whittle(args);
      expect(code).toBe(0);
      expect(out).toMatch(/→ .*kB/);
      expect(readdirSync(folder).sort()).toEqual(['front.html', 'model.onnx']);
      const text = await readFile(page, 'utf8');
      expect(text).toContain('<h2>All sizes</h2>');
      expect(text).toContain('quantize alone');
    }));

  it.each([
    [['--min-quality', 'score.exact>=1'], /needs an evaluation.*--eval/],
    [['--only-methods', 'magic'], /no method "magic"/],
    [['--exclude', 'frist*'], /no layer has a name like "frist\*"/],
    [['--image', 'channels=bgr'], /--image says how inputs are read.*--calibration/],
    [['--tokenizer', 'none.json'], /no such file.*none\.json/],
    [['-o', ''], /the name of an output is empty/],
    [['--shape', 'x=0,64'], /shape "x=0,64" is not understood/],
    [['-o', 'small.onnx', '--dtype', 'q4'], /--dtype names a file in a folder/],
  ])('%j is refused with clear words', (args, message) =>
    inFolder(async (folder, model) => {
      const target = args.includes('-o') ? [] : ['--dry-run'];
      const { code, out, err } = await whittle(['compress', model, ...target, ...args, ...FAST]);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(message);
      expect(readdirSync(folder)).toEqual(['model.onnx']);
    }),
  );
});

it('--threads beyond what the machine can bear is refused', async () => {
  const { code, err } = await whittle(['compress', 'model.onnx', '--dry-run', '--threads', '99999']);
  expect(code).toBe(2);
  expect(err).toMatch(/This machine has \d+ core/);
});

describe('whittle scan', () => {
  it('prints every file and writes a page', () =>
    inFolder(async (folder, model) => {
      const html = join(folder, 'scan.html');
      const { code, out, err } = await whittle([
        'scan',
        model,
        '--values',
        '0.05,0.3',
        '--html',
        html,
        ...FAST,
      ]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out.match(/^svd\+quantize .*kB/gm)).toHaveLength(2);
      expect(await readFile(html, 'utf8')).toContain('Size and quality');
      const json = await whittle(['scan', model, '--vary', 'bits', '--values', '4,8', '--json', ...FAST]);
      expect(JSON.parse(json.out).curves).toHaveLength(3);
      expect((await whittle(['scan', model, '--values', 'x', ...FAST])).code).toBe(2);
    }));
});

describe('whittle sensitivity', () => {
  it('ranks the layers and writes a page', () =>
    inFolder(async (folder, model) => {
      const html = join(folder, 'layers.html');
      const { code, out, err } = await whittle([
        'sensitivity',
        model,
        '--bits',
        '3',
        '--html',
        html,
        ...FAST,
      ]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(/first\.weight/);
      expect(out).toMatch(/With 3-bit weights/);
      expect(await readFile(html, 'utf8')).toContain('Along the network');
      const both = await whittle(['sensitivity', model, '--bits', '3', '--method', 'svd', ...FAST]);
      expect(both.code).toBe(2);
      await writeFile(html, 'mine');
      expect((await whittle(['sensitivity', model, '--html', html, ...FAST])).err).toMatch(/exists already/);
    }));
});
