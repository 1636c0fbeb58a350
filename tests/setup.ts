import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { buildWasm } from '../scripts/build-wasm.mjs';

const PREFIX = 'whittle-';

/**
 * Compiles the linear-algebra kernels before the tests where their sources have changed, and gives the tests a
 * temporary folder that goes with all they leave there.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  await buildWasm({ ifStale: true });
  // It runs for each project, and Chromium’s sockets lie too deep in folders within folders.
  if (basename(tmpdir()).startsWith(PREFIX)) return undefined;
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  for (const name of ['TMPDIR', 'TMP', 'TEMP']) process.env[name] = folder;
  return () => rm(folder, { recursive: true, force: true });
}
