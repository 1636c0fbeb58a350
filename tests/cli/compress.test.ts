import { existsSync, readdirSync, statSync } from 'node:fs';
import { chmod, copyFile, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/onnx/load.node.js';
import { inFolder, whittle } from './capture.js';

const FAST = ['--samples', '3', '--threads', '1', '--no-cache'];

describe('whittle compress', () => {
  it('writes a smaller model and a report, and says what it did', () =>
    inFolder(async (folder, model) => {
      const before = await readFile(model);
      const out = join(folder, 'small.onnx');
      const result = await whittle(['compress', model, '-o', out, '--method', 'quantize', ...FAST]);
      expect(result).toMatchObject({ code: 0, err: '' });
      expect(statSync(out).size).toBeLessThan(before.byteLength / 2);
      expect((await loadModel(out)).graph.outputs.map(o => o.name)).toEqual(['y']);
      expect(result.out).toMatch(/first\.weight +MatMul/);
      expect(result.out).toContain('Inputs are made up');
      const page = await readFile(`${out}.html`, 'utf8');
      expect(page).toContain('Made-up inputs');
      expect(page).toContain(`whittle compress ${model} -o ${out} --method quantize`);
      expect(Buffer.compare(await readFile(model), before)).toBe(0);
      expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'small.onnx', 'small.onnx.html']);
    }));

  it('--json prints the report and nothing else; --dry-run writes nothing', () =>
    inFolder(async (folder, model) => {
      const { code, out, err } = await whittle([
        'compress',
        model,
        '--dry-run',
        '--json',
        '--error',
        '10%',
        ...FAST,
      ]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const report = JSON.parse(out);
      expect(report.settings.error).toBe(0.1);
      expect(report.layers).toHaveLength(2);
      expect(report.bytes.before).toBe(statSync(model).size);
      expect(readdirSync(folder)).toEqual(['model.onnx']);
    }));

  it('--exclude leaves a layer as it is, --no-report writes no page', () =>
    inFolder(async (folder, model) => {
      const out = join(folder, 'small.onnx');
      const args = ['compress', model, '-o', out, '--exclude', 'fir*', '--no-report', '--json', ...FAST];
      const report = JSON.parse((await whittle(args)).out);
      const first = report.layers.find((l: { weight: string }) => l.weight === 'first.weight');
      expect(first.bytesAfter).toBe(first.bytesBefore);
      expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'small.onnx']);
    }));

  it('--eval scores both models with a TypeScript module of the user', () =>
    inFolder(async (folder, model) => {
      const file = join(folder, 'score.ts');
      await writeFile(
        file,
        `export default async function (runner: { outputs: readonly unknown[] }): Promise<object> {
          return { outputs: runner.outputs.length };
        }`,
      );
      const { code, out } = await whittle([
        'compress',
        model,
        '--dry-run',
        '--eval',
        file,
        '--json',
        ...FAST,
      ]);
      expect(code).toBe(0);
      expect(JSON.parse(out).scores).toMatchObject([{ name: 'outputs', before: 1, after: 1 }]);
    }));
});

describe('bad input', () => {
  /** Runs the command and expects one error line and no new file. */
  const refused = async (folder: string, args: readonly string[], message: RegExp): Promise<void> => {
    const before = readdirSync(folder).sort();
    const { code, out, err } = await whittle(['compress', ...args, ...FAST]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
    expect(err).toMatch(/^error: [^\n]+\n$/);
    expect(readdirSync(folder).sort()).toEqual(before);
  };

  it('the model as its own output, under any name', () =>
    inFolder(async (folder, model) => {
      await refused(folder, [model, '-o', model, '--force'], /would replace the input/);
      const link = join(folder, 'link.onnx');
      await symlink(model, link);
      await refused(folder, [model, '-o', link, '--force'], /would replace the input/);
      await refused(
        folder,
        [model, '-o', join(folder, 'a.onnx'), '--report', model, '--force'],
        /would replace the input/,
      );
    }));

  it('outputs that exist, folders, and folders that do not', () =>
    inFolder(async (folder, model) => {
      const other = join(folder, 'other.onnx');
      await copyFile(model, other);
      await refused(folder, [model, '-o', other], /exists already.*--force/);
      await refused(folder, [model, '-o', folder], /is a folder/);
      await refused(folder, [model, '-o', join(folder, 'no', 'a.onnx')], /there is no folder/);
      await refused(
        folder,
        [model, '-o', join(folder, 'a.onnx'), '--report', join(folder, 'a.onnx')],
        /same file/,
      );
    }));

  // The superuser may write anywhere.
  it.skipIf(process.getuid?.() === 0)('a folder without permission to write', () =>
    inFolder(async (folder, model) => {
      await chmod(folder, 0o500);
      try {
        await refused(folder, [model, '-o', join(folder, 'a.onnx')], /not permitted/);
      } finally {
        await chmod(folder, 0o700);
      }
    }),
  );

  it('evaluations that are missing, broken, no function, or throw', () =>
    inFolder(async (folder, model) => {
      const out = join(folder, 'a.onnx');
      const module = async (name: string, text: string) => {
        await writeFile(join(folder, name), text);
        return join(folder, name);
      };
      await refused(folder, [model, '-o', out, '--eval', join(folder, 'no.ts')], /no such file.*no\.ts/);
      await refused(folder, [model, '-o', out, '--eval', folder], /not a file/);
      // Where the syntax breaks takes more than a line to show.
      const syntax = await module('syntax.ts', 'export default (');
      const broken = await whittle(['compress', model, '-o', out, '--eval', syntax]);
      expect(broken).toMatchObject({ code: 1, out: '' });
      expect(broken.err).toMatch(/^error: the file cannot be run[\s\S]*syntax\.ts/);
      expect(existsSync(out)).toBe(false);
      await refused(
        folder,
        [model, '-o', out, '--eval', await module('number.ts', 'export default 3')],
        /not a function/,
      );
      const throws = await module('throws.ts', "export default () => { throw new Error('out of chalk'); }");
      await refused(
        folder,
        [model, '-o', out, '--eval', throws],
        /the evaluation failed: out of chalk.*throws\.ts/,
      );
    }));

  it('inputs that are missing, and shapes that do not fit', () =>
    inFolder(async (folder, model) => {
      const out = join(folder, 'a.onnx');
      await refused(folder, [model, '-o', out, '--calibration', join(folder, 'none')], /not there/);
      await refused(folder, [model, '-o', out, '--shape', 'x=1,63'], /takes/);
      await refused(folder, [model, '-o', out, '--shape', 'z=1'], /not understood/);
      // Given inputs have their own shapes.
      const both = await whittle([
        'compress',
        model,
        '-o',
        out,
        '--shape',
        'x=1,64',
        '--calibration',
        folder,
      ]);
      expect(both.code).toBe(2);
      expect(both.err).toMatch(/--shape.*cannot be used with.*--calibration/);
    }));

  it('a stop leaves nothing behind', () =>
    inFolder(async (folder, model) => {
      const out = join(folder, 'a.onnx');
      const { code, err } = await whittle(['compress', model, '-o', out, ...FAST], {
        signal: AbortSignal.abort(),
      });
      expect(code).toBe(130);
      expect(err).toBe('Stopped. Nothing was written.\n');
      expect(existsSync(out)).toBe(false);
      expect(readdirSync(folder)).toEqual(['model.onnx']);
    }));
});
