import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { WhittleError } from '../../graph/errors.js';
import type { Tensor } from '../../graph/tensor.js';
import { type PendingFile, writeAtomically } from '../../onnx/atomic-write.node.js';
import { describeFileError } from '../../onnx/file-errors.node.js';
import { encodeSafetensors, readSafetensors, type Safetensors } from '../../weights/safetensors.js';
import { writeSafetensors } from '../../weights/safetensors.node.js';
import { crc32c } from '../logs/crc32c.js';
import { type Checkpoint, type CheckpointStore, type KeptWeights, readProgress } from './checkpoint.js';

export interface FolderOptions {
  /** How many checkpoints are kept, at least 1; default 2. */
  readonly keep?: number;
}

/** A number behind the point is a later checkpoint of the same update. */
const PATTERN = /^update-(\d{8,})(?:\.(\d+))?$/;
const ABANDONED = /^\.update-[\d.]+\.[0-9a-f]{12}\.tmp$/;

/** Sizes and checksums of the tensor files, so that a flipped bit is noticed. */
type Manifest = Readonly<Record<string, { readonly bytes: number; readonly crc32c: number }>>;

/**
 * Checkpoints in a folder, each a folder `update-00000400` of `model.safetensors`, `states.safetensors` and
 * `progress.json`. It is written under another name first and renamed when all of it is on the disk.
 */
export class CheckpointFolder implements CheckpointStore {
  readonly folder: string;
  private readonly keep: number;

  /** @throws WhittleError for a number of checkpoints that is not positive and whole */
  constructor(folder: string, { keep = 2 }: FolderOptions = {}) {
    if (!(Number.isInteger(keep) && keep > 0)) {
      throw new WhittleError(`keep is a number of checkpoints, 1 or more, not ${keep}`);
    }
    this.folder = folder;
    this.keep = keep;
  }

  async save({ model, states, progress }: Checkpoint): Promise<string> {
    const name = await this.freeName(progress.runner.update);
    const target = join(this.folder, name);
    const temporary = this.temporary(name);
    try {
      await mkdir(temporary, { recursive: true });
      const sums = new Map<string, { bytes: number; crc32c: number }>();
      const tensorFile = (file: string, tensors: ReadonlyMap<string, Tensor>): PendingFile => ({
        path: join(temporary, file),
        *chunks() {
          const sum = { bytes: 0, crc32c: 0 };
          for (const chunk of encodeSafetensors(tensors, { format: 'pt' })) {
            sum.bytes += chunk.length;
            sum.crc32c = crc32c(chunk, sum.crc32c);
            yield chunk;
          }
          sums.set(file, sum);
        },
      });
      const json = (): Uint8Array[] => [
        new TextEncoder().encode(
          `${JSON.stringify({ ...progress, files: Object.fromEntries(sums) }, null, 2)}\n`,
        ),
      ];
      await writeAtomically([
        tensorFile('model.safetensors', model),
        tensorFile('states.safetensors', states),
        { path: join(temporary, 'progress.json'), chunks: json },
      ]);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw this.describe(error, target);
    }
    await this.removeOld();
    return target;
  }

  async load(): Promise<{ checkpoint: Checkpoint; place: string } | undefined> {
    const name = (await this.names()).at(-1);
    if (name === undefined) return undefined;
    const place = join(this.folder, name);
    try {
      return { checkpoint: await readCheckpoint(place), place };
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error;
      const older = (await this.names()).at(-2);
      const hint =
        older === undefined
          ? 'There is no other; start anew in another folder'
          : `Remove ${place} to go on from ${join(this.folder, older)}`;
      throw new WhittleError(error.message, { hint, cause: error });
    }
  }

  /** The file's metadata are the notes and a checksum of all else in it. */
  async saveWeights(
    name: string,
    weights: ReadonlyMap<string, Tensor>,
    notes: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const path = join(this.folder, `${name}.safetensors`);
    await mkdir(this.folder, { recursive: true }).catch((error: unknown) => {
      throw describeFileError(error, path, 'write');
    });
    const metadata = { format: 'pt', ...notes };
    await writeSafetensors(path, weights, { ...metadata, crc32c: checksum(weights, metadata) });
    return path;
  }

  async loadWeights(name: string): Promise<KeptWeights | undefined> {
    const files = await readdir(this.folder).catch((): string[] => []);
    if (!files.includes(`${name}.safetensors`)) return undefined;
    return readWeights(join(this.folder, `${name}.safetensors`));
  }

  /** Names of whole checkpoints, oldest first. */
  private async names(): Promise<string[]> {
    const entries = await readdir(this.folder).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw describeFileError(error, this.folder, 'read');
    });
    return entries
      .filter(entry => PATTERN.test(entry))
      .sort((a, b) => updateOf(a) - updateOf(b) || versionOf(a) - versionOf(b));
  }

  /** Of two checkpoints of one update the old one goes when the new one is there. */
  private async freeName(update: number): Promise<string> {
    const name = `update-${String(update).padStart(8, '0')}`;
    const last = (await this.names()).filter(other => updateOf(other) === update).at(-1);
    return last === undefined ? name : `${name}.${versionOf(last) + 1}`;
  }

  private temporary(name: string): string {
    return join(this.folder, `.${name}.${randomBytes(6).toString('hex')}.tmp`);
  }

  private async removeOld(): Promise<void> {
    const names = await this.names();
    const newest = names.filter(
      (name, i) => i + 1 === names.length || updateOf(names[i + 1]!) !== updateOf(name),
    );
    const kept = new Set(newest.slice(-this.keep));
    for (const name of names) {
      // Renamed first: half a checkpoint must not look like a whole one.
      if (!kept.has(name)) await rename(join(this.folder, name), this.temporary(name));
    }
    // Those, and what a kill left behind.
    for (const entry of await readdir(this.folder)) {
      if (!ABANDONED.test(entry)) continue;
      await rm(join(this.folder, entry), { recursive: true, force: true });
    }
  }

  private describe(error: unknown, target: string): unknown {
    const described = describeFileError(error, target, 'write');
    if (!(described instanceof WhittleError)) return described;
    return new WhittleError(`checkpoint ${basename(target)} could not be saved: ${described.message}`, {
      hint: 'Checkpoints saved before are intact; resume when there is room',
      cause: error,
    });
  }
}

const updateOf = (name: string): number => Number(PATTERN.exec(name)![1]);
const versionOf = (name: string): number => Number(PATTERN.exec(name)![2] ?? 0);

function checksum(weights: ReadonlyMap<string, Tensor>, metadata: Readonly<Record<string, string>>): string {
  let sum = 0;
  for (const chunk of encodeSafetensors(weights, metadata)) sum = crc32c(chunk, sum);
  return sum.toString(16).padStart(8, '0');
}

/** @throws WhittleError where the file is not what was written */
async function readWeights(path: string): Promise<KeptWeights> {
  const damaged = (cause?: unknown): WhittleError =>
    new WhittleError('the weights are damaged: the file is not what was written', {
      file: path,
      hint: 'Put a copy back, or resume without earlyStopping, which ends with the last weights',
      cause,
    });
  const bytes = await read(path);
  let file: Safetensors;
  try {
    file = readSafetensors(bytes, path);
  } catch (error) {
    throw damaged(error);
  }
  const { crc32c: sum, ...metadata } = file.metadata;
  const { format: _, ...notes } = metadata;
  // Earlier versions wrote neither notes nor checksum.
  const unchecked = sum === undefined && Object.keys(notes).length === 0;
  if (!unchecked && sum !== checksum(file.tensors, metadata)) throw damaged();
  return { weights: file.tensors, notes, place: path };
}

/** @throws WhittleError where the checkpoint is not whole */
async function readCheckpoint(place: string): Promise<Checkpoint> {
  const path = join(place, 'progress.json');
  const json = parse(await read(path), path) as { files?: Manifest };
  const progress = readProgress(json, path);
  const tensors = async (file: string): Promise<ReadonlyMap<string, Tensor>> => {
    const bytes = await read(join(place, file));
    const sum = json.files?.[file];
    if (sum?.bytes !== bytes.length || sum.crc32c !== crc32c(bytes)) {
      throw new WhittleError('the checkpoint is damaged: a file is not what was written', {
        file: join(place, file),
      });
    }
    return readSafetensors(bytes, join(place, file)).tensors;
  };
  return {
    progress,
    model: await tensors('model.safetensors'),
    states: await tensors('states.safetensors'),
  };
}

const read = (path: string): Promise<Uint8Array> =>
  readFile(path).catch((error: unknown) => {
    throw describeFileError(error, path, 'read');
  });

function parse(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new WhittleError('the checkpoint is damaged: its progress is no JSON', { file, cause });
  }
}
