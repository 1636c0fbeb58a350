import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildWasm } from '../scripts/build-wasm.mjs';

/**
 * Compiles the linear-algebra kernels before the tests where their sources have changed, and gives the tests a
 * temporary folder that goes with all they leave there.
 */
export async function setup(): Promise<() => Promise<void>> {
  await buildWasm({ ifStale: true });
  const folder = await mkdtemp(join(tmpdir(), 'whittle-tests-'));
  for (const name of ['TMPDIR', 'TMP', 'TEMP']) process.env[name] = folder;
  return () => rm(folder, { recursive: true, force: true });
}
