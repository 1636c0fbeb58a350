import { mkdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { writeAtomically } from '../onnx/atomic-write.node.js';
import { MAX_MODEL_BYTES, modelByteLength } from '../onnx/encode.js';
import { saveModel } from '../onnx/save.node.js';
import { exists } from './cache.node.js';
import { baseName, DTYPE_SUFFIXES, type HubDtype } from './dtypes.js';
import { type ModelFolder, readJson } from './folder.node.js';
import { withModelFile, withoutModelFiles } from './transformers-config.js';

export interface SaveFolderOptions {
  /** What one asks transformers.js for to get this file; default `q8`, which it takes in browsers unasked. */
  readonly dtype?: HubDtype;
  /** Whether weights go to a file beside the model; default only where they must (2 GB). */
  readonly externalData?: boolean;
  /** Replace files that exist. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

export interface SavedFolder {
  /** Path of the ONNX file. */
  readonly model: string;
  /** All files that were written, the model last. */
  readonly files: readonly string[];
}

/** Where a model of this folder goes in another. */
export const modelPathIn = (out: string, source: ModelFolder, dtype: HubDtype = 'q8'): string =>
  join(out, 'onnx', `${baseName(source.model)}${DTYPE_SUFFIXES[dtype]}.onnx`);

/**
 * Checks that a folder can take a model before hours of work are lost for it.
 * @throws WhittleError where it is the input's own folder, or holds the model or other configuration already
 */
export async function checkFolderTarget(
  out: string,
  source: ModelFolder,
  { dtype, force }: Pick<SaveFolderOptions, 'dtype' | 'force'> = {},
): Promise<void> {
  const [target, origin] = await Promise.all(
    [out, source.root].map(path => realpath(path).catch(() => path)),
  );
  if (target === origin) {
    throw new WhittleError('the output would go into the input’s folder', {
      file: out,
      hint: 'Give another folder',
    });
  }
  if (force) return;
  const model = modelPathIn(out, source, dtype);
  if (await exists(model)) {
    throw new WhittleError('the output exists already', {
      file: model,
      hint: 'Give another folder, or --force to replace it',
    });
  }
  for (const name of source.sidecars) {
    // What it says about files is merged.
    if (name === 'config.json') continue;
    const [theirs, ours] = [join(out, name), join(source.root, name)];
    if ((await exists(theirs)) && !(await readFile(theirs)).equals(await readFile(ours))) {
      throw new WhittleError('the output folder holds another model’s configuration', {
        file: theirs,
        hint: 'Give another folder, or --force to replace it',
      });
    }
  }
}

/**
 * Writes a model as the folder that transformers.js loads: `onnx/model_quantized.onnx`, tokenizer and configuration
 * beside it, and in `config.json` which dtype the file answers to. Parts of one model (encoder, decoder) go into one
 * folder one after the other.
 * @throws WhittleError as {@link checkFolderTarget}, and where the system refuses
 */
export async function saveModelFolder(
  model: Model,
  source: ModelFolder,
  out: string,
  options: SaveFolderOptions = {},
): Promise<SavedFolder> {
  const { dtype = 'q8', signal } = options;
  await checkFolderTarget(out, source, options);
  const path = modelPathIn(out, source, dtype);
  await mkdir(dirname(path), { recursive: true }).catch((cause: Error) => {
    throw new WhittleError(`the folder cannot be made: ${cause.message}`, { file: out, cause });
  });
  const fileName = basename(path);
  const outside = options.externalData ?? modelByteLength(model) > MAX_MODEL_BYTES;
  const others = source.sidecars.filter(name => name !== 'config.json');
  const contents = await Promise.all(others.map(name => readFile(join(source.root, name))));
  const config = join(out, 'config.json');
  const merged = withModelFile(await startConfig(config, source), {
    base: baseName(path),
    fileName,
    dtype,
    externalFiles: outside ? 1 : 0,
  });
  const text = new TextEncoder().encode(`${JSON.stringify(merged, null, 2)}\n`);
  await writeAtomically(
    [
      ...others.map((name, i) => ({ path: join(out, name), chunks: () => [contents[i]!] })),
      { path: config, chunks: () => [text] },
    ],
    signal,
  );
  const saved = await saveModel(model, path, {
    externalData: outside && { file: `${fileName}_data` },
    ...(signal && { signal }),
  });
  return {
    model: path,
    files: [...others.map(name => join(out, name)), config, ...saved.files.map(file => file.path).reverse()],
  };
}

/** What an earlier part left, or the input's own. */
async function startConfig(config: string, source: ModelFolder): Promise<unknown> {
  if (await exists(config)) return readJson(config);
  const original = join(source.root, 'config.json');
  return (await exists(original)) ? withoutModelFiles(await readJson(original)) : {};
}
