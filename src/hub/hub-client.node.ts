import { WhittleError } from '../graph/errors.js';
import { isCommit } from './cache.node.js';
import { downloadBlob, type RemoteFile } from './download.node.js';
import { HubUnreachable, refusal, unreachable } from './hub-errors.js';
import { checkRepoPath, formatHubReference, type HubReference } from './reference.js';

export interface HubOptions {
  /** An access token, empty for none; default the variable `HF_TOKEN`. */
  readonly token?: string;
  /** Default the variable `HF_ENDPOINT`, or https://huggingface.co. */
  readonly hubUrl?: string;
  /** For proxies and tests. */
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
}

/** The hub as `@huggingface/hub` speaks to it, with errors that say what to do. */
export class HubClient {
  private readonly library: typeof import('@huggingface/hub');
  private readonly reference: HubReference;
  private readonly options: HubOptions;
  private readonly hubUrl: string;
  private readonly token: string | undefined;
  /** Why the last request failed: streams of the library hand on the words alone. */
  private failure: unknown;

  private constructor(
    library: typeof import('@huggingface/hub'),
    reference: HubReference,
    options: HubOptions,
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

  static async open(reference: HubReference, options: HubOptions): Promise<HubClient> {
    return new HubClient(await import('@huggingface/hub'), reference, options);
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
        from: offset => blob.slice(offset, file.size).stream(),
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
