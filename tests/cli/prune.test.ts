import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/onnx/load.node.js';
import { inFolder, whittle } from './capture.js';

describe('whittle prune', () => {
  it('writes a smaller model and says what was cut', () =>
    inFolder(async (folder, model) => {
      const output = join(folder, 'small.onnx');
      const { code, out } = await whittle([
        'prune',
        model,
        '-o',
        output,
        '--flops',
        '0.6',
        '--samples',
        '8',
        '--threads',
        '1',
      ]);
      expect(code).toBe(0);
      expect(out).toMatch(/first\.weight\[1\] +96 +56/);
      expect(out).toMatch(/Parameters +6,912 → 4,096/);
      expect(out).toContain(`Model:  ${output}`);
      const pruned = await loadModel(output);
      expect([...pruned.graph.initializers].map(value => value.initializer!.dims)).toContainEqual([64, 56]);
    }));

  it('--report writes a page, and never over the model', () =>
    inFolder(async (folder, model) => {
      const flags = ['--flops', '0.6', '--samples', '4', '--threads', '1', '--report'];
      const page = join(folder, 'report.html');
      const { code, out } = await whittle(['prune', model, '--dry-run', ...flags, page]);
      expect(code).toBe(0);
      expect(out).toContain(`Report: ${page}`);
      const written = await readFile(page, 'utf8');
      expect(written).toContain('first.weight[1]');
      expect(written).toContain('What the channels of first.weight[1] are worth');
      expect(written).not.toMatch(/(src|href)="http/);
      const same = await whittle(['prune', model, '-o', page, ...flags, page, '--force']);
      expect(same).toMatchObject({ code: 1, err: expect.stringContaining('would be the same file') });
      const spelt = `${folder}/./report.html`;
      expect((await whittle(['prune', model, '-o', page, ...flags, spelt, '--force'])).err).toMatch(
        /would be the same file/,
      );
      const kept = await whittle(['prune', model, '--dry-run', ...flags, page]);
      expect(kept).toMatchObject({ code: 1 });
    }));

  it('--dry-run --json prints a report and writes nothing', () =>
    inFolder(async (folder, model) => {
      const { code, out } = await whittle([
        'prune',
        model,
        '--dry-run',
        '--json',
        '--parameters',
        '50%',
        '--samples',
        '4',
        '--threads',
        '1',
      ]);
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        version: 1,
        met: true,
        groups: [{ channels: 96, importance: { of: 'outputs' } }],
      });
      expect(existsSync(join(folder, 'small.onnx'))).toBe(false);
    }));

  it('ranks by derivatives and trains what is left, where that is asked for', () =>
    inFolder(async (_folder, model) => {
      const common = ['--dry-run', '--json', '--samples', '16', '--threads', '1', '--no-refit'];
      const { code, out } = await whittle([
        'prune',
        model,
        ...common,
        '--flops',
        '60%',
        '--importance',
        'taylor',
        '--retrain',
        '3',
      ]);
      expect(code).toBe(0);
      const { settings, retraining } = JSON.parse(out);
      expect(settings.importance).toBe('taylor');
      expect(retraining.epochs).toBe(3);
      expect(retraining.after).toBeLessThan(retraining.before);
      expect((await whittle(['prune', model, '--dry-run', '--flops', '0.6', '--retrain', 'some'])).code).toBe(
        2,
      );
    }));

  it('takes the model of a folder', () =>
    inFolder(async folder => {
      const flags = ['--flops', '0.6', '--samples', '4', '--threads', '1'];
      const { code, out } = await whittle(['prune', folder, '--dry-run', ...flags]);
      expect(code).toBe(0);
      expect(out).toMatch(/first\.weight\[1\] +96 +56/);
    }));

  it('wants to know where to and how much', () =>
    inFolder(async (_folder, model) => {
      expect(await whittle(['prune', model, '--flops', '0.5'])).toMatchObject({ code: 2 });
      expect((await whittle(['prune', model, '--dry-run'])).err).toMatch(/how much is to be left/);
    }));
});

describe('whittle inspect --groups', () => {
  it('lists what can be made smaller, and why the rest stays', () =>
    inFolder(async (folder, model) => {
      const { code, out } = await whittle(['inspect', model, '--groups']);
      expect(code).toBe(0);
      expect(out).toMatch(/first\.weight\[1\] +96 +2 +first\.weight\[1\], second\.weight\[0\]/);
      expect(out).toMatch(/it is a dimension of the input "x"/);
      const { dimensions } = JSON.parse((await whittle(['inspect', model, '--groups', '--json'])).out);
      expect(dimensions.groups).toMatchObject([{ channels: 96, constants: [{ axis: 1 }, { axis: 0 }] }]);
      expect(dimensions.refused).toHaveLength(2);
      const { lost } = dimensions.groups[0].importance;
      expect(lost.at(-1)).toBeCloseTo(1, 9);
      expect([...lost].sort((a: number, b: number) => a - b)).toEqual(lost);
      const page = join(folder, 'groups.html');
      await whittle(['inspect', model, '--groups', '--html', page]);
      expect(await readFile(page, 'utf8')).toContain('What can be pruned');
    }));
});
