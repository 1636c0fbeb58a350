import { join } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import { exists, hubCacheFolder, isCommit, RepoCache } from './cache.node.js';
import { downloadBlob, hashOf, type RemoteFile } from './download.node.js';
import { HubUnreachable, refusal, unreachable } from './hub-errors.js';
import { checkRepoPath, formatHubReference, type HubReference } from './reference.js';
import { type Selection, selectFiles } from './select.js';

export interface PullOptions {
  /** An access token, empty for none; default the variable `HF_TOKEN`. */
  readonly token?: string;
  /** Default the variable `HF_ENDPOINT`, or https://huggingface.co. */
  readonly hubUrl?: string;
  /** Default where all of the hub's libraries keep theirs (`HF_HUB_CACHE`, `HF_HOME`). */
  readonly cache?: string;
  /** For proxies and tests. */
  readonly fetch?: typeof fetch;
  /** Asked before anything large is downloaded; `false` stops it. */
  readonly confirm?: (plan: PullPlan) => boolean | Promise<boolean>;
  readonly onProgress?: (doneBytes: number, totalBytes: number, path: string) => void;
  readonly signal?: AbortSignal;
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
  const hub = await Hub.open(reference, options);
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

/** The hub as `@huggingface/hub` speaks to it, with errors that say what to do. */
class Hub {
  private readonly library: typeof import('@huggingface/hub');
  private readonly reference: HubReference;
  private readonly options: PullOptions;
  private readonly hubUrl: string;
  private readonly token: string | undefined;
  /** Why the last request failed: streams of the library hand on the words alone. */
  private failure: unknown;

  private constructor(
    library: typeof import('@huggingface/hub'),
    reference: HubReference,
    options: PullOptions,
  ) {
    this.library = library;
    this.reference = reference;
    this.options = options;
    this.hubUrl = (options.hubUrl ?? (process.env.HF_ENDPOINT || 'https://huggingface.co')).replace(
      /\/+$/,
      '',
    );
    this.token = (options.token ?? process.env.HF_TOKEN) || undefined;
    if (this.token !== undefined && !this.token.startsWith('hf_')) {
      throw new WhittleError('this is no access token of the hub', { hint: 'HF_TOKEN must start with hf_' });
    }
  }

  static async open(reference: HubReference, options: PullOptions): Promise<Hub> {
    return new Hub(await import('@huggingface/hub'), reference, options);
  }

  /** The commit that the revision stands for. */
  async commit(): Promise<string> {
    const { repo: name, revision } = this.reference;
    const info = await this.library.modelInfo({ ...this.access, name, revision, additionalFields: ['sha'] });
    if (!isCommit(info.sha)) throw this.strange(`the commit "${String(info.sha).slice(0, 50)}"`);
    return info.sha;
  }

  async files(commit: string): Promise<RemoteFile[]> {
    const files: RemoteFile[] = [];
    const { repo } = this.reference;
    for await (const entry of this.library.listFiles({
      ...this.access,
      repo,
      revision: commit,
      recursive: true,
    })) {
      if (entry.type !== 'file') continue;
      const { path, oid = '', lfs } = entry;
      checkRepoPath(path);
      const size = lfs?.size ?? entry.size;
      const valid = /^[0-9a-f]{40}$/.test(oid) && (lfs === undefined || /^[0-9a-f]{64}$/.test(lfs.oid));
      if (!valid || !Number.isSafeInteger(size) || size < 0) throw this.strange(`the file "${path}"`);
      files.push({ path, size, oid, ...(lfs && { sha256: lfs.oid }) });
    }
    return files;
  }

  /** Downloads one file to its place. */
  async download(
    file: RemoteFile,
    commit: string,
    target: string,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const { repo } = this.reference;
    const { signal } = this.options;
    // Plain HTTP takes ranges at any byte; the chunked protocol would only save bytes for a changed file.
    const blob = await this.library.downloadFile({
      ...this.access,
      repo,
      revision: commit,
      path: file.path,
      xet: false,
    });
    if (!blob) throw new WhittleError('the hub has no such file', { file: file.path });
    let done = 0;
    this.failure = undefined;
    try {
      await downloadBlob(file, {
        target,
        from: offset => blob.slice(offset, file.size).stream() as ReadableStream<Uint8Array>,
        onBytes: bytes => {
          done += bytes;
          onBytes(bytes);
        },
        ...(signal && { signal }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof WhittleError) throw error;
      if (this.failure instanceof WhittleError && !(this.failure instanceof HubUnreachable))
        throw this.failure;
      const cause = this.failure ?? error;
      throw new WhittleError(
        `the download stopped after ${done} of ${file.size} bytes (${cause instanceof Error ? cause.message : cause})`,
        {
          file: `${formatHubReference({ ...this.reference, path: file.path })}`,
          hint: 'Run it again: it goes on from there',
          cause,
        },
      );
    }
  }

  private get access() {
    return {
      hubUrl: this.hubUrl,
      fetch: this.fetch,
      ...(this.token !== undefined && { accessToken: this.token }),
    };
  }

  private readonly fetch: typeof fetch = async (input, init) => {
    const { signal } = this.options;
    try {
      const response = await (this.options.fetch ?? fetch)(input, {
        ...init,
        ...(signal && { signal }),
      }).catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw unreachable(cause, this.hubUrl);
      });
      if (!response.ok) throw await refusal(response, this.reference, this.token !== undefined);
      return response;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  };

  private strange(what: string): WhittleError {
    return new WhittleError(`${this.hubUrl} describes ${what} in a way that the hub does not`, {
      file: formatHubReference(this.reference),
      hint: 'Check HF_ENDPOINT',
    });
  }
}
