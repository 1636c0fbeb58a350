import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { Store } from './cache.js';

/** Bytes of the checksum in front of each entry. */
const SUM = 32;

/**
 * A folder of entries, each a file with a checksum. Files appear whole or not at all, whoever else writes; one that is
 * damaged counts as not there. Deleting the folder costs nothing but time.
 * @throws WhittleError where the folder cannot be made
 */
export function openStore(folder: string): Store {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new WhittleError(`the folder for the cache cannot be made: ${(cause as Error).message}`, {
      file: folder,
      hint: 'Name another one, or leave the cache out',
      cause,
    });
  }
  const pathOf = (key: string) => join(folder, createHash('sha256').update(key).digest('hex'));
  return {
    read(key) {
      let bytes: Buffer;
      try {
        bytes = readFileSync(pathOf(key));
      } catch {
        return undefined;
      }
      const content = Uint8Array.from(bytes.subarray(SUM));
      return checksum([content]).equals(bytes.subarray(0, SUM)) ? content : undefined;
    },
    write(key, parts) {
      const path = pathOf(key);
      const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
      try {
        writeFileSync(temporary, Buffer.concat([checksum(parts), ...parts]), { flag: 'wx' });
        renameSync(temporary, path);
      } catch {
        // A full disk costs the next run its time, not this one its result.
        rmSync(temporary, { force: true });
      }
    },
  };
}

function checksum(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
