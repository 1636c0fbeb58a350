import { Command, Option } from 'commander';
import type { SensitivityReport } from '../compress/sensitivity-report.js';
import { sensitivityPage } from '../report/pages/sensitivity.js';
import { sensitivityText } from '../report/terminal/sensitivity.js';
import {
  type CommonOptions,
  commandLine,
  examples,
  fraction,
  positiveInteger,
  withCommonOptions,
} from './arguments.js';
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

interface SensitivityFlags extends CommonOptions, JobFlags, ModelFlags {
  bits?: number;
  method?: 'svd' | 'quantize' | 'svd+quantize' | 'lowrank' | 'laser' | 'auto';
  ratio?: number;
  html?: string;
  force?: boolean;
}

/** `whittle sensitivity MODEL`: which layer breaks it. */
export function sensitivityVerb(terminal: Terminal): Command {
  const command = new Command('sensitivity')
    .summary('find the layers that a model cannot spare')
    .description(
      'Compresses one layer at a time and measures what that does to the outputs, on inputs that took no part. The worst come first.',
    )
    .argument('<model>', MODEL_ARGUMENT)
    .option('--bits <count>', 'quantize each layer to so many bits, 2 to 8 (default: 4)', positiveInteger)
    .addOption(
      new Option('--method <method>', 'instead, what a method makes of each layer within --ratio')
        .choices(['svd', 'quantize', 'svd+quantize', 'lowrank', 'laser', 'auto'])
        .conflicts('bits'),
    )
    .option(
      '--ratio <share>',
      'with --method: the share of its bytes that a layer may keep (default: 25%)',
      fraction,
    );
  withSelectionOptions(withInputOptions(command))
    .option('--html <file>', 'write a page with the plot')
    .option('--force', 'replace the page if it exists');
  return withCommonOptions(withModelOptions(command))
    .addHelpText(
      'after',
      examples([
        ['Which layers do not bear 4 bits:', 'whittle sensitivity model.onnx --calibration images'],
        [
          'Which do not bear a factorization to a quarter of their bytes:',
          'whittle sensitivity model.onnx --method lowrank --ratio 25% --html layers.html',
        ],
      ]),
    )
    .action((path: string, flags: SensitivityFlags) => {
      if (flags.ratio !== undefined && flags.method === undefined) {
        command.error('error: --ratio bounds what a method makes of a layer: it needs --method');
      }
      return measure(path, flags, terminal, command.parent?.args ?? []);
    });
}

async function measure(
  argument: string,
  flags: SensitivityFlags,
  terminal: Terminal,
  args: readonly string[],
): Promise<void> {
  await checkFiles(flags);
  const source = await locateModel(argument, flags, terminal);
  await checkTargets([flags.html], { inputs: filesRead(source, flags), force: flags.force === true });
  // Loaded when needed, so that --help does not wait for it.
  const { measureSensitivity } = await import('../compress/sensitivity-report.js');
  const model = await loadBeside(source.path, [flags.html]);
  const progress = new ProgressLine(terminal);
  const measured = await measureSensitivity(model, {
    ...(await jobOptions(model, flags, source)),
    ...(flags.bits !== undefined && { bits: flags.bits }),
    ...(flags.method !== undefined && { method: flags.method }),
    ...(flags.ratio !== undefined && { ratio: flags.ratio }),
    signal: terminal.signal,
    onProgress: progress.update,
  })
    .catch(adviseOnInputs(flags))
    .finally(() => progress.end());
  const report: SensitivityReport = { ...measured, command: commandLine(args) };
  if (flags.html !== undefined) await writeText(flags.html, sensitivityPage(report));
  if (flags.json) return terminal.out(`${JSON.stringify(report, null, 2)}\n`);
  terminal.out(`${sensitivityText(report, terminal)}\n`);
  if (flags.html !== undefined) terminal.out(`\nPage: ${flags.html}\n`);
}
