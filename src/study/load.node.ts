import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { importFrom } from '../data/modules.node.js';
import { describeFileError } from '../onnx/file-errors.node.js';
import { asStudy, type Study } from './define.js';

/** A study and where it lies. */
export interface LoadedStudy {
  readonly study: Study;
  /** The folder's name. */
  readonly name: string;
  readonly folder: string;
  readonly file: string;
  /** A hash of the file's text. */
  readonly definition: string;
}

/**
 * Loads a study from its folder, or from its file.
 * @throws WhittleError where there is none, or it makes no sense
 */
export async function loadStudy(path: string): Promise<LoadedStudy> {
  const found = await stat(path).catch((error: unknown) => {
    throw describeFileError(error, path, 'read');
  });
  const file = resolve(found.isDirectory() ? join(path, 'study.ts') : path);
  const text = await readFile(file).catch((error: unknown) => {
    throw describeFileError(error, file, 'read');
  });
  const study = asStudy(await importFrom(file, ['default']), file);
  const folder = dirname(file);
  const definition = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return { study, name: basename(folder), folder, file, definition };
}
