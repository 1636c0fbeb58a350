import { WhittleError } from '../graph/errors.js';

/** A model on the Hugging Face hub. */
export interface HubReference {
  /** `owner/name`. */
  readonly repo: string;
  /** A branch, a tag or a commit; default `main`. */
  readonly revision: string;
  /** Which ONNX file, where the repository has several. */
  readonly path?: string;
}

const PREFIX = 'hf:';
const PART = /^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?$/;

/** Whether a text names a model on the hub rather than a file: it begins with `hf:`. */
export const isHubReference = (text: string): boolean => text.startsWith(PREFIX);

/**
 * Reads `hf:owner/name`, `hf:owner/name@revision` and `hf:owner/name@revision:path/in/repo.onnx`.
 * @throws WhittleError where it is something else
 */
export function parseHubReference(text: string): HubReference {
  const [, owner = '', name = '', revision, path] =
    /^hf:([^/@:]+)\/([^/@:]+)(?:@([^:]+))?(?::(.+))?$/.exec(text) ?? [];
  if (!PART.test(owner) || !PART.test(name)) {
    throw new WhittleError(`"${text}" does not name a model on the hub`, {
      hint: 'Write hf:owner/name, hf:owner/name@revision or hf:owner/name:onnx/model.onnx',
    });
  }
  for (const part of [path, revision]) if (part !== undefined) checkRepoPath(part);
  return { repo: `${owner}/${name}`, revision: revision ?? 'main', ...(path !== undefined && { path }) };
}

/** The shortest text that `parseHubReference` reads as this reference. */
export const formatHubReference = ({ repo, revision, path }: HubReference): string =>
  `hf:${repo}${revision === 'main' ? '' : `@${revision}`}${path === undefined ? '' : `:${path}`}`;

/**
 * Refuses a name from a repository that would lead out of the folder it is written to, on any system.
 * @throws WhittleError
 */
export function checkRepoPath(path: string): void {
  const parts = path.split('/');
  const safe = parts.every(part => part !== '' && part !== '.' && part !== '..' && !/[\\:\0]/.test(part));
  if (!safe)
    throw new WhittleError(`the path "${path.slice(0, 200)}" leads out of the repository`, {
      hint: 'Paths in a repository are written with /, from its root',
    });
}
