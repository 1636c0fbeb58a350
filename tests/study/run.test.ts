import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunRecord, StudyReport } from '../../src/study/index.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TINY = fileURLToPath(new URL('tiny', import.meta.url));

// Dozens of processes, on a machine that may have other work.
vi.setConfig({ testTimeout: 300_000 });

let folder: string;
beforeAll(async () => {
  if (!existsSync(MAIN)) throw new Error('these tests run the built command: npm run build');
  folder = await mkdtemp(join(tmpdir(), 'whittle-study-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const argumentsOf = (name: string, more: readonly string[]) => {
  const out = join(folder, name);
  return [MAIN, 'study', TINY, '--out', out, '--scratch', join(out, 'scratch'), ...more];
};

const whittle = (name: string, ...more: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise(resolve => {
    execFile(process.execPath, argumentsOf(name, more), (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });

const records = async (name: string): Promise<RunRecord[]> => {
  const text = await readFile(join(folder, name, 'results.jsonl'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
};

/** What does not depend on how busy the machine was. */
function lasting(found: readonly RunRecord[]) {
  return found
    .map(record => {
      if (record.state !== 'done') throw new Error(record.reason);
      const { cpu_seconds: _, memory: __, train_seconds: ___, step_ms: ____, ...figures } = record.figures;
      return { key: record.key, figures, curves: record.curves };
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Starts a study, waits until a run stands still, and ends it there. */
async function endAt(name: string, arm: string, update: number, signal: 'SIGKILL' | 'SIGINT') {
  const file = join(folder, `${name}-${arm}`);
  const child = spawn(process.execPath, argumentsOf(name, ['--jobs', '1']), {
    env: { ...process.env, STALL: `${file},${arm},${update},${signal === 'SIGKILL' ? 60_000 : 100}` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let err = '';
  child.stderr.on('data', text => {
    err += text;
  });
  const ended = new Promise<number | null>(resolve => child.on('close', resolve));
  // The file may be there before what is written into it.
  let worker = 0;
  while (worker === 0) {
    await new Promise(resolve => setTimeout(resolve, 20));
    worker = existsSync(file) ? Number(await readFile(file, 'utf8')) : 0;
  }
  child.kill(signal);
  const code = await ended;
  // Without its parent the worker ends by itself.
  while (isAlive(worker)) await new Promise(resolve => setTimeout(resolve, 20));
  return { code, err };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a study', () => {
  let whole: ReturnType<typeof lasting>;

  it('runs to its end and writes table, page and figure', async () => {
    const { code, out, err } = await whittle('whole');
    expect({ code, err: err.trim().split('\n').length }).toEqual({ code: 0, err: 6 });
    expect(err).toMatch(/^wide, seed 0: accuracy [\d.]+% \(\d of 6/m);
    expect(out).toMatch(/Wide +2 +[\d.]+ ± [\d.]+% +– +–/);
    const found = await records('whole');
    whole = lasting(found);
    expect(whole).toHaveLength(6);
    for (const record of found) {
      expect(record.made).toMatchObject({ onnxruntime: expect.stringMatching(/^\d/), jobs: 2 });
      const { figures } = record as RunRecord & { state: 'done' };
      expect(figures.bytes).toBeGreaterThan(0);
      expect(figures.flops).toBeGreaterThan(0);
      expect(figures.parameters).toBe(
        record.arm === 'narrow' ? 4 * 2 + 2 + 2 * 2 + 2 : 4 * 16 + 16 + 16 * 2 + 2,
      );
    }
    const figuresOf = (arm: string) =>
      whole.filter(({ key }) => key.startsWith(`${arm}-`)).map(r => r.figures);
    expect(figuresOf('rounded').map(({ before }) => before)).toEqual(figuresOf('wide').map(f => f.accuracy));
    expect(Object.keys(whole[0]!.curves).sort()).toEqual(['loss', 'test accuracy', 'test loss']);
    for (const name of ['results.md', 'results.html', 'figure.svg']) {
      expect(await readFile(join(folder, 'whole', name), 'utf8')).toContain('Wide, then rounded');
    }
  });

  it('that is complete runs nothing again, and reports the same', async () => {
    const again = await whittle('whole', '--json');
    expect({ code: again.code, err: again.err }).toEqual({ code: 0, err: '' });
    const report = JSON.parse(again.out) as StudyReport;
    expect(report.arms.map(({ name, runs }) => [name, runs.length])).toEqual([
      ['wide', 2],
      ['narrow', 2],
      ['rounded', 2],
    ]);
    expect(await records('whole')).toHaveLength(6);
  });

  it('killed in the middle of runs, twice, comes to the same', async () => {
    await endAt('killed', 'wide', 17, 'SIGKILL');
    expect(existsSync(join(folder, 'killed', 'results.jsonl'))).toBe(false);
    await endAt('killed', 'narrow', 33, 'SIGKILL');
    expect((await records('killed')).map(({ arm }) => arm)).toEqual(['wide']);
    // A line that a kill cut off.
    await appendFile(join(folder, 'killed', 'results.jsonl'), '{"format":1,"key":"narrow-0');
    expect(await whittle('killed')).toMatchObject({ code: 0 });
    expect(lasting(await records('killed'))).toEqual(whole);
  });

  it('stops at Ctrl-C with a checkpoint, and says how to go on', async () => {
    const { code, err } = await endAt('stopped', 'wide', 12, 'SIGINT');
    expect({ code, err }).toEqual({
      code: 130,
      err: 'Stopped. Runs that had ended are kept; the same command goes on.\n',
    });
  });
});

describe('runs that fail', () => {
  it('are recorded and shown, and tried again the next time', async () => {
    const failed = await whittle('failed', '--set', 'narrow=throws', '--seeds', '1');
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(/Narrow, seed 0, failed: no such width/);
    expect(failed.err).toMatch(/narrow, seed 0: failed: no such width[\s\S]*1 run failed/);
    expect(await readFile(join(folder, 'failed', 'results.html'), 'utf8')).toContain('no such width');
    expect(await readFile(join(folder, 'failed', 'results.md'), 'utf8')).toContain('no such width');
    await whittle('failed', '--set', 'narrow=throws', '--seeds', '1');
    expect((await records('failed')).map(({ arm, state }) => [arm, state])).toEqual(
      expect.arrayContaining([
        ['wide', 'done'],
        ['rounded', 'done'],
        ['narrow', 'failed'],
        ['narrow', 'failed'],
      ]),
    );
  });

  it('is not started where another process runs it', async () => {
    const scratch = join(folder, 'locked', 'scratch');
    await mkdir(scratch, { recursive: true });
    await writeFile(join(scratch, 'lock'), String(process.pid));
    const { code, err } = await whittle('locked');
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`process ${process.pid} is running this study`));
  });

  it('may even crash', async () => {
    const { code, out } = await whittle(
      'crashed',
      '--set',
      'narrow=crashes',
      '--seeds',
      '1',
      '--only',
      'narrow',
    );
    expect(code).toBe(1);
    expect(out).toMatch(/Narrow, seed 0, failed: the process was ended by SIGKILL/);
  });
});
