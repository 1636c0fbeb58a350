import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Machines that share a folder do not know each other's processes. */
const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** Names have at most 255 bytes, and characters up to 3 per unit of a string. */
const prefixOf = (path: string): string => `.${basename(path).slice(0, 60)}.${host}-`;

/** A name beside the file that is to be written, which says who writes it. */
export const temporaryPath = (path: string): string =>
  join(dirname(path), `${prefixOf(path)}${process.pid}-${randomBytes(6).toString('hex')}.tmp`);

/**
 * Removes what writers of the same file left behind that were killed: those of this machine that run no more. A number
 * that another process has got since keeps its file. Never throws: cleaning is a courtesy.
 */
export async function removeAbandoned(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = prefixOf(path);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    const pid = /^(\d{1,10})-[0-9a-f]{12}\.tmp$/.exec(name.slice(prefix.length))?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) {
      await rm(join(folder, name), { force: true }).catch(() => undefined);
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Anything else, such as a process of another user, is there.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
