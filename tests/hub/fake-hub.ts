import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRepo {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly gated?: boolean;
  readonly private?: boolean;
}

export const COMMIT = 'a'.repeat(40);
export const TOKEN = 'hf_good';
/** From this size on a file is kept as LFS keeps it: known by its SHA-256, served from elsewhere. */
const LARGE = 5000;

const sha = (algorithm: string, ...parts: (string | Uint8Array)[]): string => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/**
 * A server that answers as the hub does to the few requests that a download takes: model info, file tree, `resolve` with
 * ranges and a redirect for large files.
 */
export class FakeHub {
  readonly requests: string[] = [];
  /** Cuts the connection once: after so many bytes of a large file, as soon as `seen` says that some have arrived. */
  cut: { after: number; seen(): Promise<unknown> } | undefined;
  /** Answers every byte of large files wrongly. */
  corrupt = false;
  /** Sends large files whole, whatever range was asked for. */
  ignoresRanges = false;
  readonly repos: Readonly<Record<string, FakeRepo>>;
  private readonly server = createServer((request, response) => this.answer(request, response));

  constructor(repos: Readonly<Record<string, FakeRepo>>) {
    this.repos = repos;
  }

  async start(): Promise<string> {
    await new Promise<void>(done => this.server.listen(0, '127.0.0.1', done));
    return this.url;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise(done => this.server.close(done));
  }

  private answer(request: IncomingMessage, response: ServerResponse): unknown {
    const url = new URL(request.url!, this.url);
    this.requests.push(`${url.pathname}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    const refuse = (status: number, code: string, error: string) => {
      response.writeHead(status, { 'X-Error-Code': code, 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ error }));
    };
    const [, api, name = '', kind, revision = '', path = ''] =
      /^\/(api\/models\/|cdn\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/([^/]+)(?:\/(.*))?$/.exec(
        url.pathname,
      ) ?? [];
    const { authorization } = request.headers;
    const repo = this.repos[name];
    if (authorization !== undefined && authorization !== `Bearer ${TOKEN}`) {
      return refuse(401, '', 'Invalid credentials in Authorization header');
    }
    const trusted = authorization !== undefined;
    if (!repo || (repo.private && !trusted)) {
      return trusted
        ? refuse(404, 'RepoNotFound', 'Repository not found')
        : refuse(401, '', 'Invalid username or password.');
    }
    if (!['main', 'v1', COMMIT].includes(decodeURIComponent(revision))) {
      return refuse(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    }
    if (kind === 'revision')
      return json(response, { _id: '1', id: name, sha: COMMIT, lastModified: '2026-01-01' });
    if (kind === 'tree')
      return json(
        response,
        Object.entries(repo.files).map(entry => listing(...entry)),
      );
    if (repo.gated && !trusted) return refuse(401, 'GatedRepo', 'Access to this model is restricted');
    const content = repo.files[decodeURIComponent(path)];
    if (!content) return refuse(404, 'EntryNotFound', 'Entry not found');
    const large = content.byteLength >= LARGE;
    if (large && api === undefined) {
      response.writeHead(302, { Location: `/cdn${url.pathname}`, 'X-Linked-Size': content.byteLength });
      return response.end();
    }
    this.send(request, response, content, large);
  }

  private send(
    request: IncomingMessage,
    response: ServerResponse,
    content: Uint8Array,
    large: boolean,
  ): void {
    const total = content.byteLength;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const probe = from === '0' && to === '0';
    const ranged = from !== undefined && (probe || !this.ignoresRanges);
    const [start, end] = ranged ? [Number(from), Math.min(Number(to) + 1, total)] : [0, total];
    let body = content.slice(start, end);
    if (this.corrupt && large) body = body.map(byte => byte ^ 1);
    response.writeHead(ranged ? 206 : 200, {
      ETag: `"${sha('sha256', content)}"`,
      'Content-Length': body.byteLength,
      ...(ranged && { 'Content-Range': `bytes ${start}-${end - 1}/${total}` }),
    });
    const cut = large && !probe ? this.cut : undefined;
    if (cut !== undefined && cut.after < body.byteLength) {
      this.cut = undefined;
      response.write(body.subarray(0, cut.after));
      void cut.seen().then(() => response.destroy());
    } else response.end(body);
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}

function listing(path: string, content: Uint8Array): object {
  const size = content.byteLength;
  const lfs = size >= LARGE && { lfs: { oid: sha('sha256', content), size, pointerSize: 130 } };
  return { type: 'file', path, size, oid: sha('sha1', `blob ${size}\0`, content), ...lfs };
}
