import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.js';
import { explainError, Stopped } from './errors.js';
import { BudgetMissed, EXIT } from './exit.js';
import type { Terminal } from './terminal.js';
import { VERBS } from './verbs.js';

/**
 * Runs the command line.
 * @param args without the program's name
 * @returns the exit code; never throws
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const verbose = args.includes('--verbose');
  try {
    const whittle = program(terminal);
    await whittle.parseAsync(withoutVainHelp(whittle, args), { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof BudgetMissed) return EXIT.budgetMissed;
    if (terminal.signal.aborted) {
      terminal.err(error instanceof Stopped ? `${error.message}\n` : 'Stopped. Nothing was written.\n');
      return EXIT.interrupted;
    }
    terminal.err(explainError(error, { verbose, colours: terminal.errorColours }));
    return EXIT.error;
  }
}

/** `help TYPO` as `TYPO`, which ends with the nearest verb; commander would print the whole help. */
function withoutVainHelp(whittle: Command, args: readonly string[]): readonly string[] {
  const [first, verb] = args;
  const known = verb === undefined || whittle.commands.some(command => command.name() === verb);
  return first === 'help' && !known ? args.slice(1) : args;
}

function program(terminal: Terminal): Command {
  const whittle = new Command('whittle')
    .description('Makes neural networks small: ONNX in, ONNX out.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [verb]', 'print the help of a verb')
    .showHelpAfterError('Run with --help to see how it is used.')
    .configureOutput({
      writeOut: text => terminal.out(text),
      writeErr: text => terminal.err(text),
      getOutHelpWidth: () => Math.min(terminal.width, 100),
      getErrHelpWidth: () => Math.min(terminal.width, 100),
      outputError: (text, write) => write(terminal.errorColours.red(text)),
    })
    .exitOverride();
  for (const verb of VERBS) {
    // Settings such as where errors go are handed down only if asked.
    whittle.addCommand(verb(terminal).copyInheritedSettings(whittle));
  }
  return whittle;
}
