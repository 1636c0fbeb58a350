import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { describeFileError } from '../onnx/file-errors.node.js';

/**
 * Keeps others from running a study in the same folder meanwhile: two of them would make the same runs over each other.
 * A lock that a killed process left behind counts for nothing.
 * @returns gives the folder free
 * @throws WhittleError while another process holds it, or where the folder cannot be written
 */
export async function lock(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'lock');
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw describeFileError(error, folder, 'write');
  });
  for (;;) {
    const handle = await open(path, 'wx').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
      throw describeFileError(error, path, 'write');
    });
    if (handle) {
      await handle.writeFile(String(process.pid));
      await handle.close();
      return () => rm(path, { force: true });
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => ''));
    if (holder > 0 && isAlive(holder)) {
      throw new WhittleError(`process ${holder} is running this study`, {
        file: path,
        hint: 'Wait for its end, or give another --scratch and --out',
      });
    }
    await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // A process of another user's is alive, too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
