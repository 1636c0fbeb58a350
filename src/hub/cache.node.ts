import { copyFile, mkdir, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { writeAtomically } from '../onnx/atomic-write.node.js';

/** Where the hub's libraries keep downloads, by the variables that they all obey. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  return env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub');
}

/**
 * One model's part of the cache, laid out as `huggingface_hub` does, so that both find each other's downloads:
 * `blobs/` holds content by its hash, `snapshots/COMMIT/` the files by name as links to it, `refs/` the commit of each
 * branch.
 */
export class RepoCache {
  private readonly folder: string;

  constructor(cache: string, repo: string) {
    this.folder = join(cache, `models--${repo.replace('/', '--')}`);
  }

  blob(hash: string): string {
    return join(this.folder, 'blobs', hash);
  }

  /** The folder of a commit. */
  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  async has(commit: string, path: string): Promise<boolean> {
    return exists(join(this.snapshot(commit), ...path.split('/')));
  }

  /** The commit that a revision was last seen at. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(this.ref(revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async remember(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return;
    const path = this.ref(revision);
    await mkdir(dirname(path), { recursive: true });
    await writeAtomically([{ path, chunks: () => [new TextEncoder().encode(commit)] }]);
  }

  /** Gives content its name in a commit. */
  async link(commit: string, path: string, hash: string): Promise<void> {
    const target = join(this.snapshot(commit), ...path.split('/'));
    await mkdir(dirname(target), { recursive: true });
    await rm(target, { force: true });
    // Windows lets only some users make links.
    await symlink(relative(dirname(target), this.blob(hash)), target).catch(() =>
      copyFile(this.blob(hash), target),
    );
  }

  /** All files of a commit that are here, from its root, with `/`. */
  async files(commit: string): Promise<string[]> {
    const root = this.snapshot(commit);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter(entry => !entry.isDirectory())
      .map(entry => relative(root, join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/'));
  }

  private ref(revision: string): string {
    return join(this.folder, 'refs', ...revision.split('/'));
  }
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
