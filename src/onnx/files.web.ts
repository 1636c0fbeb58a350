import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { decodeModel } from './decode.js';

/** The browser's side of `files.node.ts`: a URL is fetched; external data must be given to `decodeModel` itself. */
export async function load(source: string | Uint8Array | ArrayBuffer): Promise<Model> {
  if (typeof source !== 'string') return decodeModel(source);
  const response = await fetch(source);
  if (!response.ok) {
    throw new WhittleError(`the server answers ${response.status} ${response.statusText}`, { file: source });
  }
  return decodeModel(await response.arrayBuffer(), { path: source });
}

/** @throws WhittleError always */
export async function save(): Promise<never> {
  throw new WhittleError('a browser cannot write files', {
    hint: 'Take bytes() and offer them as a download',
  });
}
