import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeFileError } from './file-errors.node.js';
import { removeAbandoned, temporaryPath } from './temporary-file.node.js';

/** Pieces of this size let an abort through in the middle of a large weight. */
const STEP = 16 * 1024 * 1024;

export interface PendingFile {
  readonly path: string;
  /** The content, piece by piece; made when it is written. */
  chunks(): Iterable<Uint8Array>;
}

/**
 * Writes files so that each appears whole or not at all: to temporary files in the same folders, flushed to disk,
 * then renamed in the order given. On failure or abort the temporary files are removed and nothing has changed
 * (unless a later rename fails, which leaves the earlier files in place). What a killed writer of the same files left
 * behind goes first.
 * @returns bytes of each file
 * @throws WhittleError where the system refuses; the signal's reason on abort
 */
export async function writeAtomically(
  files: readonly PendingFile[],
  signal?: AbortSignal,
): Promise<number[]> {
  const temporary: string[] = [];
  const sizes: number[] = [];
  try {
    for (const { path } of files) await removeAbandoned(path);
    for (const { path, chunks } of files) {
      const name = temporaryPath(path);
      sizes.push(
        await naming(path, async () => {
          const handle = await open(name, 'wx');
          temporary.push(name);
          return fill(handle, chunks(), signal);
        }),
      );
    }
    signal?.throwIfAborted();
    for (const { path } of files) {
      await naming(path, () => rename(temporary[0]!, path));
      temporary.shift();
    }
  } finally {
    for (const name of temporary) await rm(name, { force: true });
  }
  await syncFolder(dirname(files[0]!.path));
  return sizes;
}

async function fill(handle: FileHandle, chunks: Iterable<Uint8Array>, signal?: AbortSignal): Promise<number> {
  let size = 0;
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength; ) {
        signal?.throwIfAborted();
        const { bytesWritten } = await handle.write(chunk, at, Math.min(STEP, chunk.byteLength - at));
        at += bytesWritten;
        size += bytesWritten;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return size;
}

async function naming<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw describeFileError(error, path, 'write');
  }
}

/** Makes renames survive a power cut. Not every system can do it, and the files are whole without. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
