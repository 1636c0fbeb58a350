/** Where an error happened, as far as it is known. */
export interface ErrorPlace {
  /** Path or name of the model file. */
  file?: string;
  /** Name of the node (or its first output, where the node has no name). */
  node?: string;
  /** Name of the value or initializer. */
  value?: string;
}

/**
 * An error that a user can act on: what is wrong, where, and the way out. The command line prints its
 * message alone; a stack trace only with `--verbose`. Anything else that is thrown is a bug of ours.
 */
export class WhittleError extends Error {
  readonly place: ErrorPlace;
  /** What to do about it, one sentence. */
  readonly hint: string | undefined;

  constructor(problem: string, options: ErrorPlace & { hint?: string; cause?: unknown } = {}) {
    const { hint, cause, ...place } = options;
    const where = [
      place.file && `file ${place.file}`,
      place.node && `node "${place.node}"`,
      place.value && `value "${place.value}"`,
    ].filter(Boolean);
    super(`${problem}${where.length > 0 ? ` (${where.join(', ')})` : ''}${hint ? `. ${hint}` : ''}`, {
      cause,
    });
    this.name = 'WhittleError';
    this.place = place;
    this.hint = hint;
  }
}
