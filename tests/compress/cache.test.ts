import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../src/compress/cache.js';
import { type CompressOptions, compress } from '../../src/compress/index.js';
import { measureSensitivity } from '../../src/compress/sensitivity-report.js';
import { openStore } from '../../src/compress/store.node.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { smallInputs, smallModel } from './small-model.js';

const settings: CompressOptions = {
  inputs: smallInputs(12),
  method: 'quantize',
  samples: { calibration: 8, verification: 2 },
  threads: 1,
  timing: false,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-cache-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Counts what is found and what is kept. */
function counting(store: Store): Store & { found: number; missed: number; written: number } {
  const counts = { found: 0, missed: 0, written: 0 };
  return Object.assign(counts, {
    read(key: string) {
      const bytes = store.read(key);
      bytes ? counts.found++ : counts.missed++;
      return bytes;
    },
    write(key: string, parts: readonly Uint8Array[]) {
      counts.written++;
      store.write(key, parts);
    },
  });
}

const phasesOf = ({ report }: Awaited<ReturnType<typeof compress>>) => report.phases.map(({ name }) => name);

describe('cache', () => {
  it('forgets what was not read for longest where it grows beyond its limit, and nothing that is not its own', async () => {
    const store = openStore(folder);
    const entry = new Uint8Array(1000);
    for (const key of ['a', 'b', 'c', 'd']) store.write(key, [entry]);
    await writeFile(join(folder, 'notes.txt'), 'mine');
    // All were used a day ago, but for two that were read since.
    const yesterday = new Date(Date.now() - 86_400_000);
    for (const name of await readdir(folder)) await utimes(join(folder, name), yesterday, yesterday);
    store.read('b');
    store.read('d');
    const pruned = openStore(folder, { limit: 3000 });
    expect(['a', 'b', 'c', 'd'].map(key => pruned.read(key) !== undefined)).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('serves sensitivity too', async () => {
    const store = counting(openStore(folder));
    const { samples, inputs, threads } = settings;
    const options = { inputs: inputs!, samples: samples!, threads: threads!, cache: store };
    const first = await measureSensitivity(smallModel(), options);
    expect(first.phases.map(({ name }) => name)).toContain('observe');
    const second = await measureSensitivity(smallModel(), options);
    expect(second.phases.map(({ name }) => name)).not.toContain('observe');
    expect(second.layers).toEqual(first.layers);
  });

  it('makes no difference to the result, first time or later, and saves the observing', async () => {
    const plain = await compress(smallModel(), { ...settings, maxSize: '20%' });
    const store = counting(openStore(folder));
    const first = await compress(smallModel(), { ...settings, maxSize: '20%', cache: store });
    expect(store.written).toBeGreaterThan(0);
    expect(phasesOf(first)).toContain('observe');
    const { written } = store;
    const second = await compress(smallModel(), { ...settings, maxSize: '20%', cache: store });
    expect(store.written).toBe(written);
    expect(phasesOf(second)).not.toContain('observe');
    const bytes = encodeToBytes(plain.model);
    expect(encodeToBytes(first.model)).toEqual(bytes);
    expect(encodeToBytes(second.model)).toEqual(bytes);
  });

  it('serves another budget, and gives what that budget gives without it', async () => {
    await compress(smallModel(), { ...settings, maxSize: '20%', cache: folder });
    const store = counting(openStore(folder));
    const other = await compress(smallModel(), { ...settings, maxSize: '30%', cache: store });
    expect([store.missed, store.written]).toEqual([0, 0]);
    const plain = await compress(smallModel(), { ...settings, maxSize: '30%' });
    expect(encodeToBytes(other.model)).toEqual(encodeToBytes(plain.model));
  });

  it('does not mix up models or inputs', async () => {
    await compress(smallModel(1), { ...settings, maxSize: '20%', cache: folder });
    for (const [model, inputs] of [
      [smallModel(2), smallInputs(12)],
      [smallModel(1), smallInputs(14)],
    ] as const) {
      const result = await compress(model, { ...settings, inputs, maxSize: '20%', cache: folder });
      expect(phasesOf(result)).toContain('observe');
    }
  });

  it('computes anew what is damaged or cut off', async () => {
    const expected = await compress(smallModel(), { ...settings, maxSize: '20%', cache: folder });
    for (const damage of [
      (bytes: Buffer) => bytes.fill(7, 40, 48),
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 5),
    ]) {
      for (const name of await readdir(folder)) {
        const path = join(folder, name);
        await writeFile(path, damage(await readFile(path)));
      }
      const again = await compress(smallModel(), { ...settings, maxSize: '20%', cache: folder });
      expect(phasesOf(again)).toContain('observe');
      expect(encodeToBytes(again.model)).toEqual(encodeToBytes(expected.model));
    }
  });

  it('names a folder that cannot be', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(compress(smallModel(), { ...settings, cache: join(file, 'x') })).rejects.toThrow(
      /--cache|cache/,
    );
  });

  it('lets a run that was killed go on where it was', async () => {
    const script = fileURLToPath(new URL('./cache-run.ts', import.meta.url));
    const jiti = fileURLToPath(new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url));
    const child: ChildProcess = spawn(process.execPath, [jiti, script, folder], { stdio: 'ignore' });
    const ended = new Promise(resolve => child.once('exit', (_code, signal) => resolve(signal)));
    // Two layers' scores are there: the observing is over, the rest is not.
    for (;;) {
      if ((await readdir(folder)).filter(name => !name.endsWith('.tmp')).length >= 6) break;
      if (child.exitCode !== null) throw new Error('the run ended before it could be killed');
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    const store = counting(openStore(folder));
    const resumed = await compress(smallModel(), { ...settings, maxSize: '20%', cache: store });
    expect(phasesOf(resumed)).not.toContain('observe');
    expect(store.written).toBeGreaterThan(0);
    const plain = await compress(smallModel(), { ...settings, maxSize: '20%' });
    expect(encodeToBytes(resumed.model)).toEqual(encodeToBytes(plain.model));
  });
});
