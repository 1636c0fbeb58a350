import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { describeFileError } from '../onnx/file-errors.node.js';
import { exists } from './cache.node.js';
import { type Preprocessing, readPreprocessing } from './preprocessor.js';
import { selectFiles } from './select.js';

/** A model in a folder as Hugging Face lays it out: `config.json`, `tokenizer.json`, `onnx/model.onnx`. */
export interface ModelFolder {
  readonly root: string;
  /** Path of the ONNX file. */
  readonly model: string;
  /** Names of configuration and tokenizer files, from the root. */
  readonly sidecars: readonly string[];
  /** Path of the `tokenizer.json`, if there is one. */
  readonly tokenizer?: string;
  readonly preprocessing: Preprocessing;
}

/**
 * Opens a folder with a model in it.
 * @param wanted path of the ONNX file from the root, where there are several
 * @throws WhittleError where there is no ONNX file, or it is not clear which
 */
export async function openModelFolder(folder: string, wanted?: string): Promise<ModelFolder> {
  const { model, sidecars } = selectFiles(await listFiles(folder), {
    wanted,
    place: folder,
    how: path => join(folder, path),
  });
  const preprocessor = join(folder, 'preprocessor_config.json');
  return {
    root: folder,
    model: join(folder, ...model.split('/')),
    sidecars,
    ...(sidecars.includes('tokenizer.json') && { tokenizer: join(folder, 'tokenizer.json') }),
    preprocessing: sidecars.includes('preprocessor_config.json')
      ? readPreprocessing(await readJson(preprocessor))
      : {},
  };
}

/** The folder that an ONNX file belongs to, if a `config.json` says that it is one. */
export async function folderOf(model: string): Promise<ModelFolder | undefined> {
  const own = dirname(resolve(model));
  if (basename(model).startsWith('.')) return undefined;
  const roots = basename(own) === 'onnx' ? [dirname(own), own] : [own];
  for (const root of roots) {
    if (await exists(join(root, 'config.json'))) {
      return openModelFolder(root, relative(root, resolve(model)).replaceAll('\\', '/'));
    }
  }
  return undefined;
}

/** Files of the folder and of those right below it: models are not hidden deeper. */
async function listFiles(folder: string): Promise<string[]> {
  const list = async (path: string) => {
    try {
      return await readdir(path);
    } catch (error) {
      throw describeFileError(error, path, 'read');
    }
  };
  const files: string[] = [];
  for (const name of (await list(folder)).sort()) {
    if (name.startsWith('.')) continue;
    const status = await stat(join(folder, name)).catch(() => undefined);
    if (status?.isFile()) files.push(name);
    if (!status?.isDirectory()) continue;
    for (const inner of (await list(join(folder, name))).sort()) files.push(`${name}/${inner}`);
  }
  return files;
}

/** @throws WhittleError naming the file where it is not JSON */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new WhittleError(`cannot read the JSON: ${(cause as Error).message}`, { file: path, cause });
  }
}
