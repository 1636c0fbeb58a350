import { WhittleError } from '../graph/errors.js';

/** The browser's side of `store.node.ts`. */
export function openStore(folder: string): never {
  throw new WhittleError('a browser has no folder for a cache', {
    file: folder,
    hint: 'Give an object with read and write, or leave the cache out',
  });
}
