import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { exists, hubCacheFolder, RepoCache } from './cache.node.js';
import { hashOf, type RemoteFile } from './download.node.js';
import { HubClient, type HubOptions } from './hub-client.node.js';
import { HubUnreachable } from './hub-errors.js';
import { formatHubReference, type HubReference } from './reference.js';
import { type Selection, selectFiles } from './select.js';

export interface PullOptions extends HubOptions {
  /** Default where all of the hub's libraries keep theirs (`HF_HUB_CACHE`, `HF_HOME`). */
  readonly cache?: string;
  /** Asked before anything large is downloaded; `false` stops it. */
  readonly confirm?: (plan: PullPlan) => boolean | Promise<boolean>;
  readonly onProgress?: (doneBytes: number, totalBytes: number, path: string) => void;
}

/** What a pull would download. */
export interface PullPlan {
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Of these files together; what is in the cache already does not count. */
  readonly bytes: number;
}

export interface Pulled {
  /** The folder that holds the files under their names. */
  readonly folder: string;
  /** Path of the ONNX file. */
  readonly model: string;
  readonly commit: string;
  /** Whether the hub could not be reached, and the cache had to do. */
  readonly offline: boolean;
}

/**
 * Brings a model with its external data, configuration and tokenizer into the hub's cache and returns where it lies.
 * What is there already is not downloaded again; a download that was cut off goes on; without network, the cache's own
 * copy is taken.
 * @throws WhittleError where there is no such model, the hub cannot be reached or refuses, or the download is cut;
 * the cache is whole then
 */
export async function pullModel(reference: HubReference, options: PullOptions = {}): Promise<Pulled> {
  const cache = new RepoCache(options.cache ?? hubCacheFolder(), reference.repo);
  const hub = await HubClient.open(reference, options);
  let commit: string;
  let listed: RemoteFile[];
  try {
    commit = await hub.commit();
    listed = await hub.files(commit);
  } catch (error) {
    const cached = error instanceof HubUnreachable ? await fromCache(cache, reference) : undefined;
    if (cached) return cached;
    throw error;
  }
  const chosen = select(
    reference,
    listed.map(({ path }) => path),
  );
  // The model comes last: where it is, all that it needs is.
  const wanted = [...chosen.sidecars, ...chosen.external, chosen.model].map(
    path => listed.find(file => file.path === path)!,
  );
  const missing: RemoteFile[] = [];
  for (const file of wanted) if (!(await exists(cache.blob(hashOf(file))))) missing.push(file);
  const bytes = missing.reduce((sum, { size }) => sum + size, 0);
  const plan = { files: missing.map(({ path, size }) => ({ path, bytes: size })), bytes };
  if (missing.length > 0 && (await options.confirm?.(plan)) === false) {
    throw new WhittleError('the download was declined', { file: formatHubReference(reference) });
  }
  let done = 0;
  for (const file of wanted) {
    if (missing.includes(file)) {
      await hub.download(file, commit, cache.blob(hashOf(file)), more => {
        done += more;
        options.onProgress?.(done, bytes, file.path);
      });
    }
    if (!(await cache.has(commit, file.path))) await cache.link(commit, file.path, hashOf(file));
  }
  await cache.remember(reference.revision, commit);
  return pulled(cache, commit, chosen, false);
}

const pulled = (cache: RepoCache, commit: string, chosen: Selection, offline: boolean): Pulled => {
  const folder = cache.snapshot(commit);
  return { folder, model: join(folder, ...chosen.model.split('/')), commit, offline };
};

const select = (reference: HubReference, files: readonly string[]): Selection =>
  selectFiles(files, {
    wanted: reference.path,
    place: formatHubReference(reference),
    how: path => formatHubReference({ ...reference, path }),
  });

/** What an earlier pull left, if it is all there. */
async function fromCache(cache: RepoCache, reference: HubReference): Promise<Pulled | undefined> {
  const commit = await cache.commitOf(reference.revision);
  const files = commit === undefined ? [] : await cache.files(commit);
  if (commit === undefined || !files.some(path => path.endsWith('.onnx'))) return undefined;
  return pulled(cache, commit, select(reference, files), true);
}
