import { Command, InvalidArgumentError, Option } from 'commander';
import type { ScanAxis, ScanReport } from '../compress/scan.js';
import { scanPage } from '../report/pages/scan.js';
import { scanText } from '../report/terminal/scan.js';
import { type CommonOptions, commandLine, examples, fraction, withCommonOptions } from './arguments.js';
import {
  adviseOnInputs,
  checkFiles,
  filesRead,
  type JobFlags,
  jobOptions,
  withInputOptions,
  withSelectionOptions,
} from './job.js';
import { locateModel, MODEL_ARGUMENT, type ModelFlags, withModelOptions } from './model-source.js';
import { ProgressLine } from './progress.js';
import { checkTargets, loadBeside, writeText } from './targets.js';
import type { Terminal } from './terminal.js';

interface ScanFlags extends CommonOptions, JobFlags, ModelFlags {
  vary: ScanAxis;
  values?: number[];
  error?: number;
  rankSearch?: 'closed' | 'forward';
  html?: string;
  force?: boolean;
}

/** `whittle scan MODEL`: size against quality for SVD, SVD and quantization, quantization alone. */
export function scanVerb(terminal: Terminal): Command {
  const command = new Command('scan')
    .summary('plot size against quality for single methods')
    .description(
      'Compresses a model again and again as one setting varies, by SVD, by SVD with quantized factors, and by quantization alone, and measures every file on inputs that took no part.',
    )
    .argument('<model>', MODEL_ARGUMENT)
    .addOption(
      new Option(
        '--vary <setting>',
        'error: what each layer may be off; ratio: the share of its bytes it may take; bits: of a number',
      )
        .choices(['error', 'ratio', 'bits'])
        .default('error'),
    )
    .option('--values <list>', 'where to measure, such as 0.01,0.05,0.2', numbers)
    .option('--error <number>', 'with --vary bits: the rule that picks ranks (default: 0.05)', fraction)
    .addOption(
      new Option('--rank-search <how>', 'a layer’s error by the closed form, or by running it').choices([
        'closed',
        'forward',
      ]),
    );
  withInputOptions(command).option('--eval <file>', 'a .ts or .js module whose function scores a model');
  withSelectionOptions(command)
    .option('--html <file>', 'write a page with the plot')
    .option('--force', 'replace the page if it exists');
  return withCommonOptions(withModelOptions(command))
    .addHelpText(
      'after',
      examples([
        ['How far each layer may be off:', 'whittle scan model.onnx --calibration images --html scan.html'],
        ['How many bits it takes:', 'whittle scan model.onnx --vary bits --values 3,4,5,6,8'],
      ]),
    )
    .action((path: string, flags: ScanFlags) => {
      if (flags.error !== undefined && flags.vary !== 'bits') {
        command.error('error: --error is for --vary bits; otherwise give the errors or ratios with --values');
      }
      return scanModel(path, flags, terminal, command.parent?.args ?? []);
    });
}

async function scanModel(
  argument: string,
  flags: ScanFlags,
  terminal: Terminal,
  args: readonly string[],
): Promise<void> {
  const source = await locateModel(argument, flags, terminal);
  await checkFiles(flags);
  await checkTargets([flags.html], { inputs: filesRead(source, flags), force: flags.force === true });
  // Loaded when needed, so that --help does not wait for it.
  const { scan } = await import('../compress/scan.js');
  const model = await loadBeside(source.path, [flags.html]);
  const progress = new ProgressLine(terminal);
  const options = await jobOptions(model, flags, source);
  const measured = await scan(model, {
    ...options,
    vary: flags.vary,
    ...(flags.values !== undefined && { values: flags.values }),
    ...(flags.error !== undefined && { error: flags.error }),
    ...(flags.rankSearch !== undefined && { rankSearch: flags.rankSearch }),
    signal: terminal.signal,
    onProgress: progress.update,
  })
    .catch(adviseOnInputs(flags))
    .finally(() => progress.end());
  const report: ScanReport = { ...measured, command: commandLine(args) };
  if (flags.html !== undefined) await writeText(flags.html, scanPage(report));
  if (flags.json) return terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  terminal.out(`${scanText(report, terminal)}\n`);
  if (flags.html !== undefined) terminal.out(`\nPage: ${flags.html}\n`);
}

function numbers(text: string): number[] {
  const values = text.split(',').map(part => (part.trim() === '' ? Number.NaN : Number(part)));
  if (!values.every(Number.isFinite)) {
    throw new InvalidArgumentError('It must be numbers with commas between, such as 0.01,0.05,0.2.');
  }
  return values;
}
