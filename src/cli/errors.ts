import { WhittleError } from '../graph/errors.js';
import { printable } from '../report/format.js';
import type { Colours } from '../report/terminal/text.js';

/** Ctrl-C, by a verb that has kept what it had. */
export class Stopped extends Error {}

/**
 * What to print of an error. A WhittleError speaks for itself; anything else is a bug of ours and says so. Stack
 * traces only when asked for.
 */
export function explainError(
  error: unknown,
  { verbose, colours }: { verbose: boolean; colours: Colours },
): string {
  // Messages carry names from model files, which may carry terminal commands.
  const lines = (text: string) => text.split('\n').map(printable).join('\n');
  const message = lines(error instanceof Error ? error.message : String(error));
  const trace = verbose && error instanceof Error ? `\n${lines(traceOf(error))}\n` : '';
  if (error instanceof WhittleError) return `${colours.red('error:')} ${message}\n${trace}`;
  return (
    `${colours.red('error:')} ${message}\n` +
    `This is a bug in Whittle. Please report it with the command${verbose ? '' : ', what it prints with --verbose,'} and, if you may, the model.\n${trace}`
  );
}

function traceOf(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\nCaused by: ${traceOf(error.cause)}` : own;
}
