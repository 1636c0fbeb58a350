import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describeFileError } from '../../onnx/file-errors.node.js';
import type { Logger, LogRecord } from './logger.js';
import { restartRecord, scalarRecord, versionRecord } from './tensorboard.js';

/**
 * Writes event files for `tensorboard --logdir FOLDER`: `step/loss`, `evaluation/accuracy` and so on over updates. A
 * resumed training adds a file.
 */
export function tensorBoard(folder: string): Logger {
  let handle: FileHandle | undefined;
  let chunks: Uint8Array[] = [];
  let path = folder;
  const now = (): number => Date.now() / 1000;
  const flush = async (): Promise<void> => {
    const waiting = chunks;
    chunks = [];
    if (waiting.length === 0 || !handle) return;
    await handle.appendFile(Buffer.concat(waiting)).catch((error: unknown) => {
      throw describeFileError(error, path, 'write');
    });
  };
  return {
    async open(update) {
      const name = `events.out.tfevents.${Math.floor(now())}.${hostname()}.${process.pid}`;
      path = join(folder, name);
      try {
        await mkdir(folder, { recursive: true });
        handle = await open(path, 'a');
      } catch (error) {
        throw describeFileError(error, path, 'write');
      }
      chunks.push(versionRecord(now()));
      if (update > 0) chunks.push(restartRecord(now(), update + 1));
    },
    async write({ kind, update, values }: LogRecord) {
      const named = Object.fromEntries(Object.entries(values).map(([name, v]) => [`${kind}/${name}`, v]));
      chunks.push(scalarRecord(now(), update, named));
      if (chunks.length >= 100) await flush();
    },
    flush,
    async close() {
      try {
        await flush();
      } finally {
        await handle?.close();
        handle = undefined;
      }
    },
  };
}
