import { realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { ExternalDataResolver } from './context.js';
import { describeFileError } from './file-errors.node.js';
import { FileSource } from './file-source.node.js';

/**
 * Finds external data beside a model, and nowhere else: absolute paths, `..` and links that lead out of the
 * model's folder are refused, as a model from the net must not make us read other files. The folder is the one
 * of the path, or of the file that the path links to (download caches keep models and weights behind links).
 */
export function folderResolver(modelPath: string): ExternalDataResolver {
  const folder = dirname(resolve(modelPath));
  return (location, value) => {
    const refuse = (why: string): never => {
      throw new WhittleError(`external data location "${location.slice(0, 200)}" ${why}`, {
        file: modelPath,
        value,
        hint: "Weights must lie in the model's own folder",
      });
    };
    // Windows writers use backslashes; `C:x` is absolute enough there.
    if (location.includes('\0')) refuse('is not a path');
    if (isAbsolute(location) || /^([\\/]|[A-Za-z]:)/.test(location)) refuse('is absolute');
    if (location.split(/[\\/]/).includes('..')) refuse("leads out of the model's folder");
    const path = join(folder, location);
    let real: string;
    let roots: string[];
    try {
      real = realpathSync(path);
      roots = [realpathSync(folder), dirname(realpathSync(modelPath))];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new WhittleError(`the external data file "${location}" is missing`, {
          file: modelPath,
          value,
          hint: 'Put it beside the model',
          cause: error,
        });
      }
      throw describeFileError(error, path, 'read');
    }
    if (!roots.some(root => isInside(root, real))) refuse("is a link that leads out of the model's folder");
    return new FileSource(real);
  };
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
