import { WhittleError } from '../../graph/errors.js';

/**
 * Settings of a configuration file: each has a default, a type and perhaps a range, so that `--set key=value` on the
 * command line is read by its type. A few lines of our own rather than a schema library: those read JSON-like values,
 * and to them the text `false` is true.
 */
export interface Setting<T> {
  readonly fallback: T;
  /** What it expects, in words. */
  readonly expects: string;
  /** Reads text; `undefined` where it makes no sense. */
  readonly parse: (text: string) => T | undefined;
  readonly description?: string | undefined;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The values that settings describe. */
export type ValuesOf<S extends Settings> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer T> ? T : never;
};

interface Range {
  readonly min?: number;
  readonly max?: number;
  readonly description?: string;
}

/** A real number. */
export function number(fallback: number, { min, max, description }: Range = {}): Setting<number> {
  return {
    fallback,
    expects: `a number${rangeInWords(min, max)}`,
    description,
    parse: text => within(text.trim() === '' ? Number.NaN : Number(text), min, max),
  };
}

/** A whole number. */
export function integer(fallback: number, { min, max, description }: Range = {}): Setting<number> {
  return {
    fallback,
    expects: `a whole number${rangeInWords(min, max)}`,
    description,
    parse: text => (/^[+-]?\d+$/.test(text) ? within(Number(text), min, max) : undefined),
  };
}

/** true or false. */
export const flag = (fallback: boolean, description?: string): Setting<boolean> => ({
  fallback,
  expects: 'true or false',
  description,
  parse: text => (text === 'true' ? true : text === 'false' ? false : undefined),
});

/** Any text, such as a path. */
export const text = (fallback: string, description?: string): Setting<string> => ({
  fallback,
  expects: 'text',
  description,
  parse: value => value,
});

/** One of several words. */
export const choice = <const T extends string>(
  fallback: NoInfer<T>,
  among: readonly T[],
  description?: string,
): Setting<T> => ({
  fallback,
  expects: `one of ${among.join(', ')}`,
  description,
  parse: value => among.find(word => word === value),
});

/** How errors speak of settings: whose they are, and what stands before `key=value` on the command line. */
interface Wording {
  readonly owner: string;
  readonly example: string;
}

/**
 * The values of settings, changed by `key=value` texts.
 * @throws WhittleError for a key that there is not, or a value that does not fit
 */
export function readSettings<S extends Settings>(
  settings: S,
  changes: readonly string[],
  { owner, example }: Wording = { owner: 'the configuration', example: '--set ' },
): ValuesOf<S> {
  const values: Record<string, unknown> = {};
  for (const [name, { fallback }] of Object.entries(settings)) values[name] = fallback;
  for (const change of changes) {
    const at = change.indexOf('=');
    const name = at < 0 ? change : change.slice(0, at);
    const setting = Object.hasOwn(settings, name) ? settings[name] : undefined;
    if (!setting) {
      throw new WhittleError(`${owner} has no setting "${name}"`, {
        hint: `It has ${Object.keys(settings).join(', ') || 'none'}`,
      });
    }
    const value = at < 0 ? undefined : setting.parse(change.slice(at + 1));
    if (value === undefined) {
      throw new WhittleError(
        at < 0 ? `${name} needs a value` : `${name} cannot be "${change.slice(at + 1)}"`,
        { hint: `It is ${setting.expects}, as in ${example}${name}=${String(setting.fallback)}` },
      );
    }
    values[name] = value;
  }
  return values as ValuesOf<S>;
}

const within = (value: number, min = -Number.MAX_VALUE, max = Number.MAX_VALUE): number | undefined =>
  value >= min && value <= max ? value : undefined;

function rangeInWords(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? '' : ` of at most ${max}`;
}
