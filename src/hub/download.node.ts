import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { describeFileError } from '../onnx/file-errors.node.js';
import { exists } from './cache.node.js';

/** One file of a repository, as the hub lists it. */
export interface RemoteFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** What git calls it: the SHA-1 of a header and the content. */
  readonly oid: string;
  /** SHA-256 of the content, for large files. */
  readonly sha256?: string;
}

/** The name of its content in the cache. */
export const hashOf = (file: RemoteFile): string => file.sha256 ?? file.oid;

export interface DownloadOptions {
  /** Where the content goes; what is there of it so far lies beside it with `.incomplete`. */
  readonly target: string;
  /** The content from a byte on. */
  readonly from: (offset: number) => ReadableStream<Uint8Array>;
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Downloads one file, going on where an earlier try was cut off. What lies on disk is checked against its hash before it
 * gets its name, so that the cache never holds a wrong or half a file. Two processes may download the same file at once:
 * both write the same bytes at the same places, and whoever is done first names it.
 * @throws WhittleError where the transfer is cut (what has come stays), or the content is not what the hub promised
 */
export async function downloadBlob(
  file: RemoteFile,
  { target, from, onBytes, signal }: DownloadOptions,
): Promise<void> {
  const incomplete = `${target}.incomplete`;
  await mkdir(dirname(target), { recursive: true });
  // Neither truncated nor appended to: another process may be writing.
  const handle = await open(incomplete, constants.O_RDWR | constants.O_CREAT).catch((error: unknown) => {
    throw describeFileError(error, incomplete, 'write');
  });
  try {
    let done = (await handle.stat()).size;
    if (done > file.size) {
      await handle.truncate(0);
      done = 0;
    }
    onBytes(done);
    if (done < file.size) await fill(handle, done);
    if ((await digest(handle, file)) !== hashOf(file)) await corrupt();
  } finally {
    await handle.close();
  }
  await rename(incomplete, target).catch(async (error: unknown) => {
    if (!(await exists(target))) throw error;
  });

  async function corrupt(): Promise<never> {
    await rm(incomplete, { force: true });
    throw new WhittleError('the download is not what the hub promised; it was thrown away', {
      file: file.path,
      hint: 'Try again',
    });
  }

  async function fill(handle: FileHandle, start: number): Promise<void> {
    const reader = from(start).getReader();
    let done = start;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { value, done: ended } = await reader.read();
        if (ended) break;
        // A server that ignores ranges starts anew.
        if (done + value.byteLength > file.size) return corrupt();
        await handle.write(value, 0, value.byteLength, done);
        done += value.byteLength;
        onBytes(value.byteLength);
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
    if (done < file.size) throw new Error(`ended after ${done} of ${file.size} bytes`);
  }
}

/** Git hashes a small file together with its length; a large one is known by the hash of its content. */
async function digest(handle: FileHandle, { sha256, size }: RemoteFile): Promise<string> {
  const hash = sha256 === undefined ? createHash('sha1').update(`blob ${size}\0`) : createHash('sha256');
  const content = handle.createReadStream({ start: 0, autoClose: false });
  for await (const chunk of content) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
