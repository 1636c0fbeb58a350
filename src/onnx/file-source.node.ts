import { type BigIntStats, closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { WhittleError } from '../graph/errors.js';
import { describeFileError } from './file-errors.node.js';
import type { ByteSource } from './source.js';

/**
 * A file that is opened for each read, so that a model holds no descriptors and nothing has to be closed. A file
 * that has changed in between is an error, not wrong weights.
 */
export class FileSource implements ByteSource {
  readonly size: number;
  readonly name: string;
  private readonly identity: string;
  private held: number | undefined;

  /** @throws WhittleError where there is no such regular file */
  constructor(path: string) {
    this.name = path;
    const stats = attempt(path, () => statSync(path, { bigint: true }));
    // Opening a pipe would wait forever, and a device has no end.
    if (!stats.isFile()) {
      throw new WhittleError(
        stats.isDirectory() ? 'this is a folder, not a file' : 'this is not a regular file',
        {
          file: path,
        },
      );
    }
    this.size = Number(stats.size);
    this.identity = identityOf(stats);
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new WhittleError(`bytes ${offset} to ${offset + length} lie outside of ${this.size} bytes`, {
        file: this.name,
      });
    }
    if (this.held !== undefined) return this.readFrom(this.held, offset, length);
    return attempt(this.name, () => {
      const descriptor = this.open();
      try {
        return this.readFrom(descriptor, offset, length);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /** Keeps the file open while `body` runs, for many small reads. */
  whileOpen<T>(body: () => T): T {
    this.held = attempt(this.name, () => this.open());
    try {
      return body();
    } finally {
      closeSync(this.held);
      this.held = undefined;
    }
  }

  /** Whether a path leads to this very file. */
  isSameFile(path: string): boolean {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats !== undefined && this.identity.startsWith(`${stats.dev}:${stats.ino}:`);
  }

  private open(): number {
    const descriptor = openSync(this.name, 'r');
    if (identityOf(fstatSync(descriptor, { bigint: true })) === this.identity) return descriptor;
    closeSync(descriptor);
    throw new WhittleError('the file has changed since the model was loaded', {
      file: this.name,
      hint: 'Load the model again',
    });
  }

  private readFrom(descriptor: number, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const count = readSync(descriptor, bytes, done, Math.min(length - done, 2 ** 30), offset + done);
      if (count === 0)
        throw new WhittleError('the file became shorter while it was read', { file: this.name });
      done += count;
    }
    return bytes;
  }
}

const identityOf = (stats: BigIntStats): string => `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}`;

function attempt<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw describeFileError(error, path, 'read');
  }
}
