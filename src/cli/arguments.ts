import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { WhittleError } from '../graph/errors.js';

/** Options that every verb has. */
export interface CommonOptions {
  json?: boolean;
  verbose?: boolean;
}

export const withCommonOptions = (command: Command): Command =>
  command
    .option('--json', 'print everything as JSON, and nothing else, on standard output')
    .option('--verbose', 'show stack traces of errors');

/** Examples at the end of a verb's help: what one wants, and the command. */
export const examples = (entries: readonly (readonly [what: string, command: string])[]): string =>
  `\nExamples:\n${entries.map(([what, command]) => `  ${what}\n    $ ${command}`).join('\n')}\n`;

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('It must be a positive integer.');
  }
  return value;
}

/** A few threads a core do no harm; thousands bring a machine to a halt. */
const THREADS_PER_CORE = 4;

/** How many threads an operator may use. */
export function threadCount(text: string): number {
  const value = positiveInteger(text);
  const cores = availableParallelism();
  if (value > THREADS_PER_CORE * cores) {
    throw new InvalidArgumentError(`This machine has ${cores} core${cores === 1 ? '' : 's'}.`);
  }
  return value;
}

export function nonNegativeInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('It must be an integer, 0 or more.');
  }
  return value;
}

/** A number between 0 and 1, both excluded. `5%` is 0.05. */
export function fraction(text: string): number {
  const value = text.endsWith('%')
    ? Number(text.slice(0, -1) || Number.NaN) / 100
    : Number(text || Number.NaN);
  if (!(value > 0 && value < 1))
    throw new InvalidArgumentError('It must lie between 0 and 1, such as 0.05 or 5%.');
  return value;
}

/** The text of an option that the engine reads: refused here where it makes no sense, before there is any work. */
export const readBy =
  (read: (text: string, original: number) => unknown) =>
  (text: string): string => {
    try {
      read(text, 1);
    } catch (error) {
      if (error instanceof WhittleError) throw new InvalidArgumentError(error.message);
      throw error;
    }
    return text;
  };

/** Collects an option that may be given several times. */
export const repeated = (text: string, earlier: readonly string[] = []): string[] => [...earlier, text];

/** Names with commas between them. */
export function list(text: string): string[] {
  const names = text.split(',').map(name => name.trim());
  if (names.some(name => name === ''))
    throw new InvalidArgumentError('It must be names with commas between.');
  return names;
}

/** The command line as one may paste it into a shell. */
export const commandLine = (args: readonly string[]): string =>
  ['whittle', ...args]
    .map(arg => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`))
    .join(' ');
