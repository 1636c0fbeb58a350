import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../version.js';
import type { Provenance } from './record.js';

/** What runs here. */
export function provenance({ threads, jobs }: { threads: number; jobs: number }): Provenance {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  const commit = commitOf(fileURLToPath(new URL('../..', import.meta.url)));
  return {
    whittle: VERSION,
    ...(commit !== undefined && { commit }),
    node: process.version.slice(1),
    onnxruntime: version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    threads,
    jobs,
  };
}

/**
 * The commit that is checked out in `folder`, with a `+` where its `src` has changed since. `undefined` where there is no
 * git, or the folder is not the checkout itself: as a dependency it lies in somebody else's.
 */
export function commitOf(folder: string): string | undefined {
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
      windowsHide: true,
    }).trim();
  try {
    if (realpathSync(git('rev-parse', '--show-toplevel')) !== realpathSync(folder)) return undefined;
    const commit = git('rev-parse', '--short=10', 'HEAD');
    return git('status', '--porcelain', '--', 'src') === '' ? commit : `${commit}+`;
  } catch {
    return undefined;
  }
}
