import { WhittleError } from '../graph/errors.js';
import { formatHubReference, type HubReference } from './reference.js';

/** What a refusal of the hub means to the one who asked, and the way out. */
export async function refusal(
  response: Response,
  reference: HubReference,
  hasToken: boolean,
): Promise<WhittleError> {
  const file = formatHubReference(reference);
  const code = response.headers.get('X-Error-Code');
  const { status } = response;
  const said = (response.headers.get('X-Error-Message') ?? (await messageOf(response))).slice(0, 300);
  const make = (problem: string, hint: string) => new WhittleError(problem, { file, hint });
  const askForToken = 'Put a token of https://huggingface.co/settings/tokens into HF_TOKEN';
  if (code === 'GatedRepo') {
    return hasToken
      ? make(
          'the model is gated, and this token has no access',
          `Ask for access at https://huggingface.co/${reference.repo}`,
        )
      : make(
          'the model is gated and needs a token',
          `Ask for access at https://huggingface.co/${reference.repo}, then put a token into HF_TOKEN`,
        );
  }
  if (code === 'RevisionNotFound') {
    return make(`there is no revision "${reference.revision}"`, 'Check the branch, tag or commit behind @');
  }
  if (code === 'EntryNotFound')
    return make('the hub has no such file', 'The repository may have changed: try again');
  // The hub does not tell strangers whether a private model is there: 401 says both.
  if (code === 'RepoNotFound' || status === 404 || (status === 401 && !hasToken)) {
    return make(
      'there is no such model on the hub, or it is private',
      hasToken
        ? 'Check the name, and what HF_TOKEN may read'
        : `Check the name; if it is private: ${askForToken}`,
    );
  }
  if (status === 401 || status === 403) {
    return make(`the hub refuses the token${said ? `: ${said}` : ''}`, 'Check HF_TOKEN: it may have expired');
  }
  if (status === 429) return make('the hub asks to wait: too many requests', 'Try again in some minutes');
  return make(`the hub answers ${status}${said ? `: ${said}` : ''}`, 'Try again later');
}

/** @returns the hub's own words where it gave any as JSON */
async function messageOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined);
  const error = (body as { error?: unknown } | undefined)?.error;
  return typeof error === 'string' ? error : '';
}

/** The hub did not answer at all. */
export function unreachable(cause: unknown, hubUrl: string): WhittleError {
  const inner = (cause as { cause?: { code?: unknown; message?: unknown } } | undefined)?.cause;
  const reason = String(inner?.code ?? inner?.message ?? (cause as Error)?.message ?? cause);
  return new HubUnreachable(`${hubUrl} cannot be reached (${reason})`, {
    hint: 'Check the network, or give a folder that holds the model',
    cause,
  });
}

/** No network: what the cache holds may still do. */
export class HubUnreachable extends WhittleError {}
