import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { describeFileError } from '../onnx/file-errors.node.js';

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
 * Downloads one file, going on where an earlier try was cut off. The content is checked against its hash before it gets
 * its name, so that the cache never holds a wrong or half a file.
 * @throws WhittleError where the transfer is cut (what has come stays), or the content is not what the hub promised
 */
export async function downloadBlob(
  file: RemoteFile,
  { target, from, onBytes, signal }: DownloadOptions,
): Promise<void> {
  const incomplete = `${target}.incomplete`;
  await mkdir(dirname(target), { recursive: true });
  let done = await stat(incomplete).then(
    ({ size }) => size,
    () => 0,
  );
  if (done > file.size) {
    await rm(incomplete);
    done = 0;
  }
  const hash = startHash(file);
  if (done > 0) for await (const chunk of createReadStream(incomplete)) hash.update(chunk as Uint8Array);
  onBytes(done);
  if (done < file.size) {
    const handle = await open(incomplete, 'a').catch((error: unknown) => {
      throw describeFileError(error, incomplete, 'write');
    });
    try {
      await append(handle);
    } finally {
      await handle.close();
    }
  } else if (file.size === 0) await (await open(incomplete, 'a')).close();
  if (hash.digest('hex') !== hashOf(file)) await corrupt();
  await rename(incomplete, target);

  async function corrupt(): Promise<never> {
    await rm(incomplete, { force: true });
    throw new WhittleError('the download is not what the hub promised; it was thrown away', {
      file: file.path,
      hint: 'Try again',
    });
  }

  async function append(handle: FileHandle): Promise<void> {
    const reader = from(done).getReader();
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { value, done: ended } = await reader.read();
        if (ended) break;
        // A server that ignores ranges starts anew.
        if (done + value.byteLength > file.size) return corrupt();
        await handle.write(value);
        hash.update(value);
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
function startHash({ sha256, size }: RemoteFile): Hash {
  return sha256 === undefined ? createHash('sha1').update(`blob ${size}\0`) : createHash('sha256');
}
