import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MemoryLog, train } from '../../src/train/index.js';
import { tinyTraining } from './tiny.js';

/** Under node_modules, where the bundle finds the packages that it imports. */
const BUNDLE = fileURLToPath(new URL('../../node_modules/.cache/whittle-resume/', import.meta.url));
const CHILD = join(BUNDLE, 'resume-child.mjs');

// One file starts in a fraction of the time that a loader of TypeScript takes.
beforeAll(async () => {
  await build({
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: fileURLToPath(new URL('resume-child.ts', import.meta.url)),
      outDir: BUNDLE,
      emptyOutDir: true,
      target: 'node20',
      rolldownOptions: { output: { entryFileNames: 'resume-child.mjs' } },
    },
  });
});
afterAll(() => rm(BUNDLE, { recursive: true, force: true }));

/** Runs the child until it says that it has come to an update, and kills it there. */
async function killAt(folder: string, update: number): Promise<unknown> {
  const child = fork(CHILD, [folder, String(update)]);
  const ended = once(child, 'exit');
  const [message] = (await Promise.race([once(child, 'message'), ended])) as unknown[];
  child.kill('SIGKILL');
  await ended;
  return message;
}

it('a training that is killed twice computes the same to the last digit', async () => {
  const log = new MemoryLog();
  const whole = await train({ ...tinyTraining(), logs: [log] });
  expect(whole.updates).toBe(36);

  const folder = await mkdtemp(join(tmpdir(), 'whittle-resume-'));
  try {
    // In the middle of an epoch, and right after an evaluation; checkpoints are at every fifth update.
    expect(await killAt(folder, 13)).toBe(13);
    expect(await readdir(join(folder, 'checkpoints'))).toContain('update-00000010');
    expect(await killAt(folder, 27)).toBe(27);
    expect(await killAt(folder, 0)).toBe('done');
    const lines = (await readFile(join(folder, 'log.jsonl'), 'utf8')).trim().split('\n');
    const resumed = lines.map(line => {
      const { seconds: _, ...figures } = JSON.parse(line);
      return figures;
    });
    const expected = log.records.map(({ kind, update, epoch, values }) => ({
      kind,
      update,
      epoch,
      ...values,
    }));
    expect(resumed).toEqual(expected);
    expect(resumed).toHaveLength(36 + 4);
  } finally {
    await rm(folder, { recursive: true });
  }
});
