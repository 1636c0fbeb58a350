import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { type PendingFile, writeAtomically } from './atomic-write.node.js';
import { encodeModel, MAX_MODEL_BYTES, modelByteLength } from './encode.js';
import { type ExternalLayout, externalChunks, layOutExternal } from './external-layout.js';
import { describeFileError } from './file-errors.node.js';
import { FileSource } from './file-source.node.js';
import { sourcesOf } from './leftovers.js';

export interface SaveOptions {
  /**
   * Whether weights go to a file of their own beside the model: `true`, or which (from `threshold` bytes on,
   * default 1024; `file` is its name, default that of the model with `.data`). Without it they go there only where
   * the model would pass protobuf's 2 GB; `false` makes that an error.
   */
  externalData?: boolean | { threshold?: number; file?: string };
  signal?: AbortSignal;
}

export interface SavedModel {
  /** The files that were written, the model first. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Bytes of all files. */
  readonly bytes: number;
}

/**
 * Writes a model, weight by weight. The files appear whole or not at all, and files that the model still reads
 * its weights from are never replaced.
 * @throws WhittleError where the folder or disk refuses, the target is a file of the model itself, or protobuf's
 * limit is passed; the signal's reason on abort
 */
export async function saveModel(model: Model, path: string, options: SaveOptions = {}): Promise<SavedModel> {
  const target = await resolveTarget(path);
  const layout = chooseLayout(model, target, options);
  const pending: PendingFile[] = [];
  if (layout && layout.byteLength > 0) {
    pending.push({ path: layout.path, chunks: () => externalChunks(layout) });
  }
  const external = layout?.places ?? new Map();
  // The model comes last: once it is there, its weights are.
  pending.push({ path: target, chunks: () => encodeModel(model, { external }) });
  for (const file of pending) refuseOwnSource(model, file.path);
  const sizes = await writeAtomically(pending, options.signal);
  const files = pending.map((file, i) => ({ path: file.path, bytes: sizes[i]! })).reverse();
  return { files, bytes: files.reduce((sum, file) => sum + file.bytes, 0) };
}

function chooseLayout(
  model: Model,
  target: string,
  { externalData }: SaveOptions,
): (ExternalLayout & { path: string }) | undefined {
  const whole = modelByteLength(model);
  if (!externalData && whole <= MAX_MODEL_BYTES) return undefined;
  if (externalData === false) {
    throw new WhittleError(`the model has ${whole} bytes; protobuf ends at 2 GB`, {
      file: target,
      hint: 'Allow external data',
    });
  }
  const { threshold = 1024, file = `${basename(target)}.data` } =
    typeof externalData === 'object' ? externalData : {};
  if (file !== basename(file) || file === basename(target) || /[\\/\0]|^\.{0,2}$/.test(file)) {
    throw new WhittleError(`"${file}" cannot name the external data of a model`, {
      file: target,
      hint: "Give the name of another file in the model's folder",
    });
  }
  const layout = layOutExternal(model, file, threshold);
  const rest = modelByteLength(model, { external: layout.places });
  if (rest > MAX_MODEL_BYTES) {
    throw new WhittleError(`${rest} bytes of the model cannot be external data; protobuf ends at 2 GB`, {
      file: target,
    });
  }
  return { ...layout, path: join(dirname(target), file) };
}

/** The path with its folder's links resolved, so that later changes of the working folder do not matter. */
async function resolveTarget(path: string): Promise<string> {
  try {
    const target = join(await realpath(dirname(path)), basename(path));
    const stats = await stat(target).catch(() => undefined);
    if (stats?.isDirectory()) throw new WhittleError('this is a folder, not a file', { file: path });
    return target;
  } catch (error) {
    throw describeFileError(error, path, 'write');
  }
}

/**
 * Weights are read when they are needed: with their file replaced, the model in memory would be lost.
 * @throws WhittleError where the path is one of the model's own files
 */
export function refuseOwnSource(model: Model, path: string): void {
  for (const source of sourcesOf.get(model) ?? []) {
    if (source instanceof FileSource && source.isSameFile(path)) {
      throw new WhittleError('the model still reads its weights from this file', {
        file: path,
        hint: 'Save it under another name',
      });
    }
  }
}
