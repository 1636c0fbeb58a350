import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { commitOf, provenance } from '../../src/study/provenance.node.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-provenance-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

it('of a checkout is its commit, marked where the code has changed, not where results have', async () => {
  git('init');
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, 'src', 'a.ts'), 'export {};\n');
  git('add', '.');
  git('commit', '-m', 'one');
  const head = git('rev-parse', 'HEAD');
  const commit = commitOf(folder)!;
  expect(commit).toMatch(/^[0-9a-f]{10,40}$/);
  expect(head.startsWith(commit)).toBe(true);
  await writeFile(join(folder, 'results.jsonl'), '{}\n');
  expect(commitOf(folder)).toBe(commit);
  await writeFile(join(folder, 'src', 'a.ts'), 'export const a = 1;\n');
  expect(commitOf(folder)).toBe(`${commit}+`);
});

it('is absent inside somebody else’s checkout, before a commit, without a checkout and without git', async () => {
  expect(commitOf(folder)).toBeUndefined();
  git('init');
  expect(commitOf(folder)).toBeUndefined();
  await writeFile(join(folder, 'a'), 'a');
  git('add', '.');
  git('commit', '-m', 'one');
  const inside = join(folder, 'node_modules', 'whittle-nn');
  await mkdir(inside, { recursive: true });
  expect(commitOf(inside)).toBeUndefined();
  expect(commitOf(join(folder, 'missing'))).toBeUndefined();
  vi.stubEnv('PATH', '');
  expect(commitOf(folder)).toBeUndefined();
  expect(provenance({ threads: 1, jobs: 2 })).toMatchObject({ threads: 1, jobs: 2 });
  expect(provenance({ threads: 1, jobs: 2 })).not.toHaveProperty('commit');
});
