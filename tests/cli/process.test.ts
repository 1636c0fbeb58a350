import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/version.js';
import { inFolder } from './capture.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

beforeAll(() => {
  if (!existsSync(main)) throw new Error('these tests run the built command: npm run build');
});

const whittle = (
  args: readonly string[],
  env = process.env,
): Promise<{ code: number; out: string; err: string }> =>
  new Promise(resolve => {
    execFile(process.execPath, [main, ...args], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise(resolve => child.on('close', resolve));

describe('the built command', () => {
  it('ends with the right exit codes', async () => {
    expect(await whittle(['--version'])).toEqual({ code: 0, out: `${VERSION}\n`, err: '' });
    expect((await whittle(['inspct'])).code).toBe(2);
    const missing = await whittle(['inspect', 'none.onnx']);
    expect(missing).toMatchObject({ code: 1, out: '' });
    expect(missing.err).toMatch(/^error: there is no such file/);
  });

  it('compresses, prints JSON alone, and ends', () =>
    inFolder(async (folder, model) => {
      const out = join(folder, 'small.onnx');
      const args = [
        'compress',
        model,
        '-o',
        out,
        '--method',
        'quantize',
        '--samples',
        '2',
        '--threads',
        '1',
        '--json',
        '--no-cache',
      ];
      const result = await whittle(args);
      expect(result).toMatchObject({ code: 0, err: '' });
      expect(JSON.parse(result.out).unchanged).toBe(false);
      expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'small.onnx', 'small.onnx.html']);
    }));

  it('lets ONNX Runtime keep no record of its user', () =>
    inFolder(async (folder, model) => {
      const home = join(folder, 'home');
      await mkdir(home);
      // An empty home, so that an identifier would have to be made; nothing that says "do not" from outside.
      const { ORT_DISABLE_TELEMETRY: _, CI: __, ...env } = process.env;
      const places = { HOME: home, USERPROFILE: home, LOCALAPPDATA: home, XDG_CACHE_HOME: home };
      const args = ['compare', model, model, '--no-time', '--samples', '2', '--threads', '1'];
      expect((await whittle(args, { ...env, ...places })).code).toBe(0);
      expect(readdirSync(home)).toEqual([]);
    }));

  it('stops at Ctrl-C in the middle of the work and leaves nothing', () =>
    inFolder(async (folder, model) => {
      const score = join(folder, 'score.ts');
      // Says when it runs, then works until it is stopped.
      await writeFile(
        score,
        `export default async (_runner: unknown, { signal }: { signal: AbortSignal }) => {
          process.stderr.write('scoring');
          for (;;) { await new Promise(resolve => setTimeout(resolve, 20)); signal.throwIfAborted(); }
        }`,
      );
      const out = join(folder, 'small.onnx');
      const args = [
        'compress',
        model,
        '-o',
        out,
        '--eval',
        score,
        '--samples',
        '2',
        '--threads',
        '1',
        '--no-cache',
      ];
      const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      let err = '';
      child.stderr.on('data', (text: Buffer) => {
        err += text;
        if (err === 'scoring') child.kill('SIGINT');
      });
      expect(await ended(child)).toBe(130);
      expect(err).toBe('scoringStopped. Nothing was written.\n');
      expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'score.ts']);
    }));

  it('takes a closed pipe for an end, not an error', () =>
    inFolder(async (_folder, model) => {
      const child = spawn(process.execPath, [main, 'inspect', model], { stdio: ['ignore', 'pipe', 'pipe'] });
      let err = '';
      child.stderr.on('data', (text: Buffer) => {
        err += text;
      });
      child.stdout.destroy();
      expect(await ended(child)).toBe(0);
      expect(err).toBe('');
    }));
});
