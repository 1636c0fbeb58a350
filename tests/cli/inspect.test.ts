import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/onnx/load.node.js';
import { saveModel } from '../../src/onnx/save.node.js';
import { inFolder, whittle } from './capture.js';

describe('whittle inspect', () => {
  it('prints facts and weights', () =>
    inFolder(async (_folder, model) => {
      const { code, out, err } = await whittle(['inspect', model]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(/Inputs +x float32 batch × 64/);
      expect(out).toMatch(/first\.weight +MatMul +64 × 96 +float32 +24\.6 kB/);
      expect(out).toMatch(/2 weights that can be compressed\.\n$/);
    }));

  it('--json prints JSON and nothing else', () =>
    inFolder(async (_folder, model) => {
      const { code, out, err } = await whittle(['inspect', model, '--json', '--spectra']);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const report = JSON.parse(out);
      expect(report.weights.map((w: { name: string }) => w.name)).toEqual(['first.weight', 'second.weight']);
      expect(report.weights[0].spectrum.values).toHaveLength(64);
    }));

  it('--html writes a page, and never over another file unasked', () =>
    inFolder(async (folder, model) => {
      const page = join(folder, 'page.html');
      expect((await whittle(['inspect', model, '--spectra', '--html', page])).code).toBe(0);
      expect(await readFile(page, 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
      await writeFile(page, 'mine');
      const { code, err } = await whittle(['inspect', model, '--html', page]);
      expect(code).toBe(1);
      expect(err).toMatch(/exists already.*--force/);
      expect(await readFile(page, 'utf8')).toBe('mine');
      expect((await whittle(['inspect', model, '--html', page, '--force'])).code).toBe(0);
      expect(await readFile(page, 'utf8')).toMatch(/^<!doctype html>/);
      // The model itself is refused even then.
      expect((await whittle(['inspect', model, '--html', model, '--force'])).err).toMatch(
        /would replace the input/,
      );
      const link = join(folder, 'link.html');
      await symlink(model, link);
      expect((await whittle(['inspect', model, '--html', link, '--force'])).err).toMatch(
        /would replace the input/,
      );
    }));

  it('knows the external data of a model, and never writes over it', () =>
    inFolder(async (folder, model) => {
      const outside = join(folder, 'outside.onnx');
      await saveModel(await loadModel(model), outside, { externalData: true });
      const weights = await readFile(join(folder, 'outside.onnx.data'));
      const { out } = await whittle(['inspect', outside]);
      expect(out).toMatch(/^File +\S+outside\.onnx, .*\nFile +outside\.onnx\.data, /);
      for (const verb of ['inspect', 'scan', 'sensitivity']) {
        const { code, err } = await whittle([verb, outside, '--html', `${outside}.data`, '--force']);
        expect(code).toBe(1);
        expect(err).toMatch(/still reads its weights from this file/);
      }
      const { err } = await whittle(['compare', model, outside, '--html', `${outside}.data`, '--force']);
      expect(err).toMatch(/still reads its weights from this file/);
      expect(await readFile(`${outside}.data`)).toEqual(weights);
    }));
});

describe('bad input', () => {
  it.each<[string, (folder: string, model: string) => Promise<string>, RegExp]>([
    ['a missing file', async folder => join(folder, 'none.onnx'), /no such file.*none\.onnx/],
    [
      'a folder without a model',
      async folder => {
        await mkdir(join(folder, 'sub'));
        return join(folder, 'sub');
      },
      /no ONNX model/,
    ],
    [
      'an empty file',
      async folder => {
        await writeFile(join(folder, 'empty.onnx'), '');
        return join(folder, 'empty.onnx');
      },
      /empty/,
    ],
    [
      'a text',
      async folder => {
        await writeFile(join(folder, 'notes.txt'), 'Models that we have:\n');
        return join(folder, 'notes.txt');
      },
      /the file is a text, not a model/,
    ],
    [
      'a truncated file',
      async (_folder, model) => {
        await truncate(model, 2000);
        return model;
      },
      /model\.onnx/,
    ],
    [
      'random bytes',
      async (_folder, model) => {
        await writeFile(
          model,
          Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3)) % 251),
        );
        return model;
      },
      /model\.onnx/,
    ],
    [
      'a length of 2⁶⁰ bytes',
      async (_folder, model) => {
        await writeFile(
          model,
          Uint8Array.of(0x3a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 2, 3),
        );
        return model;
      },
      /model\.onnx/,
    ],
  ])('%s: one clear error, exit code 1, no stack trace', (_name, prepare, message) =>
    inFolder(async (folder, model) => {
      const path = await prepare(folder, model);
      const page = join(folder, 'page.html');
      const { code, out, err } = await whittle(['inspect', path, '--html', page]);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(message);
      expect(err).toMatch(/^error: [^\n]+\n$/);
      expect(existsSync(page)).toBe(false);
    }),
  );

  it('a page into a folder that is not there fails before the work', () =>
    inFolder(async (folder, model) => {
      const { code, err } = await whittle(['inspect', model, '--html', join(folder, 'no', 'page.html')]);
      expect(code).toBe(1);
      expect(err).toMatch(/there is no folder/);
    }));
});
