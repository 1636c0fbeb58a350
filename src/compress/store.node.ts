import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { Store } from './cache.js';

/** Bytes of the checksum in front of each entry. */
const SUM = 32;

/** Bytes that a folder of finished work may take, unless it is told otherwise. */
const DEFAULT_LIMIT = 4e9;

/** What is left after pruning, as a share of the limit, so that not every run has to prune. */
const PRUNED = 0.8;

/** Entries in use by a run that is going on are younger than this. */
const IN_USE_MS = 3600e3;

/**
 * A folder of entries, each a file with a checksum. Files appear whole or not at all, whoever else writes; one that is
 * damaged counts as not there. Deleting the folder costs nothing but time. Where the entries take more than the limit,
 * those that were not read for longest go first.
 * @throws WhittleError where the folder cannot be made
 */
export function openStore(folder: string, { limit = DEFAULT_LIMIT }: { limit?: number } = {}): Store {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new WhittleError(`the folder for the cache cannot be made: ${(cause as Error).message}`, {
      file: folder,
      hint: 'Name another one (--cache), or keep nothing (--no-cache)',
      cause,
    });
  }
  prune(folder, limit);
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
      if (!checksum([content]).equals(bytes.subarray(0, SUM))) return undefined;
      touch(pathOf(key));
      return content;
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

/** Marks an entry as used now. */
function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // Gone, or not ours: then it is pruned sooner, no more.
  }
}

/** An entry is named by a hash; what else lies in the folder is somebody's own. */
const ENTRY = /^[0-9a-f]{64}(\.[0-9a-f]{12}\.tmp)?$/;

function prune(folder: string, limit: number): void {
  try {
    const entries = readdirSync(folder)
      .filter(name => ENTRY.test(name))
      .map(name => ({ path: join(folder, name), ...pick(statSync(join(folder, name))) }));
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total <= limit) return;
    entries.sort((a, b) => a.used - b.used);
    for (const { path, bytes, used } of entries) {
      if (total <= PRUNED * limit || Date.now() - used < IN_USE_MS) break;
      rmSync(path, { force: true });
      total -= bytes;
    }
  } catch {
    // Another run may prune at the same time.
  }
}

const pick = ({ size, mtimeMs }: { size: number; mtimeMs: number }) => ({ bytes: size, used: mtimeMs });
